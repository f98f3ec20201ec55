#!/usr/bin/env bash
# Installs the libSQL server that tests run, tursodb, from its npm package into the ignored folder .tools.
# Does nothing when it is there. Where it cannot install it says what to do and exits 0, because the tests
# then skip themselves; under CI=true it exits 1, because there nothing may be skipped.
set -euo pipefail

package=turso@0.6.0
folder=$(cd "$(dirname "$0")/../.." && pwd)/.tools/$package

there() { compgen -G "$folder/node_modules/@tursodatabase/cli-*/tursodb" >/dev/null; }
if there; then exit 0; fi
if command -v npm >/dev/null; then
  echo "Installing $package for the tests with a libSQL server"
  mkdir -p "$(dirname "$folder")"
  scratch=$(mktemp -d "$(dirname "$folder")/install.XXXXXX")
  trap 'rm -rf "$scratch"' EXIT
  if npm install --silent --no-save --prefix "$scratch" "$package" </dev/null >&2; then
    rm -rf "$folder"
    mv "$scratch" "$folder"
    trap - EXIT
    if there; then exit 0; fi
    echo "$package has no tursodb for this machine." >&2
  fi
fi
echo "The tests with a libSQL server need $package: install npm, then run 'bash testdata/libsql/install.sh'." >&2
if [ "${CI:-}" = true ]; then exit 1; fi
