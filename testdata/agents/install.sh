#!/usr/bin/env bash
# Installs what TestRealAgents runs: PHP with two profilers and two HTTP clients, and PostgreSQL,
# whose packages bring auto_explain. Does nothing when all of it is there.
#
# Where it cannot install it says what to do and exits 0, because the test then skips itself;
# under CI=true it exits 1, because there nothing may be skipped.
set -euo pipefail

packages=(
  php8.2-cli php8.2-curl php8.2-pgsql
  php-guzzlehttp-guzzle php-tideways php-excimer
  postgresql-15
)

missing() {
  local package
  for package in "${packages[@]}"; do
    grep -qx "$package installed" <<<"$present" || echo "$package"
  done
}

give_up() {
  echo "$1" >&2
  if [ "${CI:-}" = true ]; then exit 1; fi
  exit 0
}

# dpkg-query fails when it knows nothing of one of the names, and still lists the others.
present=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null || true)
mapfile -t wanted < <(missing)
if [ ${#wanted[@]} = 0 ]; then exit 0; fi

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  give_up "The test with real agents needs ${wanted[*]}: on Debian 12, run 'sudo bash testdata/agents/install.sh'."
fi

echo "Installing for the test with real agents: ${wanted[*]}"

scratch=$(mktemp -d)
policy=/usr/sbin/policy-rc.d
trap 'rm -rf "$scratch" ${our_policy:+"$our_policy"}' EXIT

# The test makes its own cluster; a default one would hold a port and start with the machine.
# A file that is there already belongs to somebody who uses PostgreSQL: it stays as it is.
cluster=/etc/postgresql-common/createcluster.conf
if [ ! -e "$cluster" ]; then
  mkdir -p "${cluster%/*}"
  echo 'create_main_cluster = false' >"$cluster"
fi

# Packages ask this file before they start a service; 101 means no.
if [ ! -e "$policy" ]; then
  our_policy=$policy
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi

# UCF_FORCE_CONFFOLD keeps the file above when postgresql-common brings its own. The time limits
# are for a machine without a network, which should learn so soon.
export DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1
apt=(apt-get -qq -o DPkg::Lock::Timeout=120 -o Acquire::Retries=1 -o Acquire::http::Timeout=15)
if ! { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends "${wanted[@]}"; } \
  >"$scratch/log" 2>&1 </dev/null; then
  cat "$scratch/log" >&2
  give_up "They could not be installed; the test with real agents needs Debian 12's packages."
fi
