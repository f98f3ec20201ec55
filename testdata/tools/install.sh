#!/usr/bin/env bash
# Installs the tools named, or all that the tests use; README.md lists them. A tool that is there costs milliseconds.
#
#   bash testdata/tools/install.sh [--check] [name…]
#
# The tests skip themselves where their tool is missing. A tool that cannot be installed is therefore only reported, and
# fails the script (exit 1) when it was named, or under CI=true, where nothing may be skipped. With --check nothing is
# installed, and the script exits with 3 when a tool is missing.
#
# A tool is a file NAME.sh, read by this script, with the line used_by and two functions: there tells whether the tool
# is installed, in the version wanted, and install installs it. Each is one chain of commands, for set -e does not hold
# in them.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
tools=$(cd "$here/../.." && pwd)/.tools
for_tests=(libsql oteljs otelpython pebble php phpsite postgres promtool sam systemd)

# debian installs Debian packages. It starts none of their services: packages ask policy-rc.d, and 101 means no. The
# time limits are for a machine without a network, which should learn so soon.
debian() {
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "It takes root and apt-get: on Debian 12, run 'sudo bash testdata/tools/install.sh $name'"
    return 1
  fi
  local policy=/usr/sbin/policy-rc.d apt=(apt-get -qq -o DPkg::Lock::Timeout=120 -o Acquire::Retries=1 -o Acquire::http::Timeout=15)
  if [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
    touch "$scratch/policy" # it is ours
  fi
  export DEBIAN_FRONTEND=noninteractive UCF_FORCE_CONFFOLD=1
  { [ -e "$scratch/updated" ] || "${apt[@]}" update; } && touch "$scratch/updated" &&
    "${apt[@]}" install -y --no-install-recommends "$@"
}

# has_debian tells whether all the packages are installed. dpkg-query fails when it does not know one.
has_debian() {
  [ "$(dpkg-query -W -f '${db:Status-Status}\n' "$@" 2>/dev/null | grep -cx installed)" = $# ]
}

# npm_into installs npm packages, name@version, into a folder of .tools, whole or not at all.
npm_into() {
  local folder=$tools/$1 new=$scratch/npm
  command -v npm >/dev/null || { echo "It takes npm: on Debian 12, run 'sudo apt-get install npm'"; return 1; }
  rm -rf "$new" && mkdir "$new" && npm install --silent --no-save --no-audit --no-fund --prefix "$new" "${@:2}" &&
    rm -rf "$folder" && mv "$new" "$folder"
}

# has_npm tells whether a folder of .tools has the npm packages, in these versions.
has_npm() {
  local package
  for package in "${@:2}"; do
    grep -q "\"version\": \"${package##*@}\"" "$tools/$1/node_modules/${package%@*}/package.json" 2>/dev/null || return 1
  done
}

check='' named=''
if [ "${1:-}" = --check ]; then check=yes; shift; fi
if [ $# -gt 0 ]; then named=yes; else set -- "${for_tests[@]}"; fi
for name in "$@"; do
  [ -f "$here/$name.sh" ] && [ "$name" != install ] ||
    { echo "There is no tool $name; testdata/tools/README.md lists them" >&2; exit 2; }
done

# load reads a tool's script.
load() {
  name=$1
  # shellcheck source=/dev/null
  . "$here/$name.sh"
}

missing=()
for name in "$@"; do
  load "$name"
  there || missing+=("$name")
done

if [ -z "$check" ] && [ ${#missing[@]} -gt 0 ]; then
  mkdir -p "$tools"
  scratch=$(mktemp -d "$tools/install.XXXXXX")
  trap '[ ! -e "$scratch/policy" ] || rm -f /usr/sbin/policy-rc.d; rm -rf "$scratch"' EXIT
  wanted=("${missing[@]}") missing=()
  for name in "${wanted[@]}"; do
    load "$name"
    echo "Installing $name, for $used_by"
    if install </dev/null >"$scratch/log" 2>&1 && there; then continue; fi
    cat "$scratch/log" >&2
    missing+=("$name")
  done
fi

if [ ${#missing[@]} = 0 ]; then exit 0; fi
echo "Not installed: ${missing[*]}. testdata/tools/README.md says what uses them; bash testdata/tools/install.sh ${missing[*]} installs them." >&2
if [ -n "$check" ]; then exit 3; fi
if [ -n "$named" ] || [ "${CI:-}" = true ]; then exit 1; fi
