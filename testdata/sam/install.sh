#!/usr/bin/env bash
# Installs the SAM CLI, cfn-lint and AWS's template translator, which deploy and test template.yaml, from PyPI
# into the ignored folder .tools. Does nothing when they are there. Where it cannot install it says what to do
# and exits 0, because the tests then skip themselves; under CI=true it exits 1, because there nothing may be
# skipped. With --check it installs nothing and exits 3 in place of 0 when they are missing.
set -euo pipefail

packages=(aws-sam-cli==1.170.0 aws-sam-translator==1.115.0 cfn-lint==1.58.0)
folder=$(cd "$(dirname "$0")/../.." && pwd)/.tools/sam
missing=0

if [ "$(cat "$folder/packages" 2>/dev/null)" = "${packages[*]}" ]; then exit 0; fi

give_up() {
  echo "$1" >&2
  if [ "${CI:-}" = true ]; then exit 1; fi
  exit $missing
}

if [ "${1:-}" = --check ]; then
  missing=3
  give_up "template.yaml is tested with the SAM CLI: run 'bash testdata/sam/install.sh'."
fi
if ! python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
  give_up "The SAM CLI needs Python 3.10 or later with venv: on Debian, run 'sudo apt-get install python3-venv', then 'bash testdata/sam/install.sh'."
fi

echo "Installing ${packages[*]}"
rm -rf "$folder"
# Scripts in a virtual environment name its folder: it is made in its place, and marked when it is whole.
if ! { python3 -m venv "$folder" && "$folder/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"; } </dev/null >&2; then
  rm -rf "$folder"
  give_up "They could not be installed; template.yaml needs them from PyPI to be tested and deployed."
fi
echo "${packages[*]}" >"$folder/packages"
