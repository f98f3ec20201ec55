#!/usr/bin/env bash
# Runs the command that follows, a go test -v, and fails also when no test passed: when the pattern of -run meets none, or
# all were skipped, go test is content. It says then what is missing.
#
#     bash testdata/ran.sh 'what to do when no test ran' go test -v …
set -uo pipefail

remedy=$1
shift
out=$(mktemp)
trap 'rm -f "$out"' EXIT
"$@" 2>&1 | tee "$out" || exit
if ! grep -qE '^ *--- PASS: ' "$out"; then
  echo "no test ran: $remedy" >&2
  exit 1
fi
