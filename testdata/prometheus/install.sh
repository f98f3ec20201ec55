#!/usr/bin/env bash
# Installs what the tests of localdev/metrics run: promtool, which comes with Prometheus. Does nothing when it is there.
#
# Where it cannot install it says what to do and exits 0, because the tests then skip themselves;
# under CI=true it exits 1, because there nothing may be skipped.
set -euo pipefail

if command -v promtool >/dev/null; then exit 0; fi

give_up() {
  echo "$1" >&2
  if [ "${CI:-}" = true ]; then exit 1; fi
  exit 0
}

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  give_up "The tests of the metrics need promtool: on Debian 12, run 'sudo bash testdata/prometheus/install.sh'."
fi

echo "Installing for the tests of the metrics: prometheus"

scratch=$(mktemp -d)
policy=/usr/sbin/policy-rc.d
trap 'rm -rf "$scratch" ${our_policy:+"$our_policy"}' EXIT

# Packages ask this file before they start a service; 101 means no. A test needs the tool alone.
if [ ! -e "$policy" ]; then
  our_policy=$policy
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

# The time limits are for a machine without a network, which should learn so soon.
export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -qq -o DPkg::Lock::Timeout=120 -o Acquire::Retries=1 -o Acquire::http::Timeout=15)
if ! { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends prometheus; } >"$scratch/log" 2>&1 </dev/null; then
  cat "$scratch/log" >&2
  give_up "It could not be installed; the tests of the metrics need Debian 12's prometheus."
fi
systemctl disable prometheus >/dev/null 2>&1 || true # nor is it to start with the machine
