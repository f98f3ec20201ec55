#!/usr/bin/env bash
# Installs what make bench compares with and measures by: Bun and zod, in .tools, and wrk. Does nothing when they are there.
set -euo pipefail

cd "$(dirname "$0")/../.."
peers=.tools/peers
if [ ! -x $peers/node_modules/.bin/bun ]; then
  command -v npm >/dev/null || { echo "make bench needs npm, to install its peer: Bun" >&2; exit 1; }
  mkdir -p $peers
  npm install --prefix $peers --no-audit --no-fund --silent bun@1.4.5 zod@4.6.7
fi
if ! command -v wrk >/dev/null; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "make bench needs wrk: on Debian, run 'sudo apt-get install wrk'" >&2
    exit 1
  fi
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends wrk >/dev/null
fi
