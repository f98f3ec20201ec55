#!/usr/bin/env bash
# Installs what the ACME tests of localdev/certs run: pebble, Let's Encrypt's small authority for tests, and the DNS
# server that comes with it. Does nothing when they are there.
#
# Where it cannot install it says what to do and exits 0, because the tests then skip themselves;
# under CI=true it exits 1, because there nothing may be skipped.
set -euo pipefail

if command -v pebble >/dev/null && command -v pebble-challtestsrv >/dev/null; then exit 0; fi

give_up() {
  echo "$1" >&2
  if [ "${CI:-}" = true ]; then exit 1; fi
  exit 0
}

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  give_up "The ACME tests need pebble: on Debian 12, run 'sudo bash testdata/pebble/install.sh'."
fi

echo "Installing for the ACME tests: pebble"

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# The time limits are for a machine without a network, which should learn so soon.
export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -qq -o DPkg::Lock::Timeout=120 -o Acquire::Retries=1 -o Acquire::http::Timeout=15)
if ! { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends pebble; } >"$log" 2>&1 </dev/null; then
  cat "$log" >&2
  give_up "It could not be installed; the ACME tests need Debian 12's pebble."
fi
