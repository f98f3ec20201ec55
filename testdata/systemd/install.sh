#!/usr/bin/env bash
# Installs systemd-analyze, which judges the unit file, and the kill that the unit names; systemd is not started. Does nothing when it is there.
# Where it cannot install it says what to do and exits 0, because the test then skips itself; under CI=true it exits 1,
# because there nothing may be skipped.
set -euo pipefail

if command -v systemd-analyze >/dev/null && [ -x /bin/kill ]; then exit 0; fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  echo "Installing systemd for the test of the unit file"
  export DEBIAN_FRONTEND=noninteractive
  apt=(apt-get -qq -o DPkg::Lock::Timeout=120 -o Acquire::Retries=1 -o Acquire::http::Timeout=15)
  if { "${apt[@]}" update && "${apt[@]}" install -y --no-install-recommends systemd procps; } </dev/null >&2; then exit 0; fi
fi
echo "The test of the unit file needs systemd-analyze and /bin/kill: on Debian, run 'sudo bash testdata/systemd/install.sh'." >&2
if [ "${CI:-}" = true ]; then exit 1; fi
