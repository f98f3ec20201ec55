#!/usr/bin/env bash
# Installs the listener as a systemd service (make install) or removes it (bash infra/systemd/install.sh uninstall). With a second word, such as
# relay, it does that with the agent of this name. It prints each step. It never overwrites or removes settings and records.
set -euo pipefail

from=$(dirname "$0")
name=${2:-listener}
[ -e "$from/bitville-$name.service" ] || { echo "there is no service $name: say listener or the name of an agent, such as relay" >&2; exit 1; }
root=${DESTDIR:-}
prefix=${PREFIX:-/usr/local}
program=$prefix/bin/listener
case $prefix in
/usr | /usr/local) unit=$prefix/lib/systemd/system users=$prefix/lib/sysusers.d ;;
*) unit=/etc/systemd/system users=/etc/sysusers.d ;; # systemd looks here, whatever the prefix
esac
unit+=/bitville-$name.service users+=/bitville-$name.conf
settings=/etc/bitville/$name.env records=/var/lib/bitville
[ "$name" = listener ] || records+=-$name

# DESTDIR means that a package is being made: then this machine's systemd is left alone.
live() { [ -z "$root" ] && [ -d /run/systemd/system ]; }
run() { echo "running    $*"; "$@"; }
put() { # mode, target; the content on standard input
  echo "installing $root$2"
  install -D -m "$1" /dev/stdin "$root$2"
}

case ${1:-} in
install)
  binary=${BINARY:-$from/../../bin/listener}
  [ -x "$binary" ] || { echo "there is no ${binary#"$from/../../"} yet: run make build first" >&2; exit 1; }
  put 0755 "$program" <"$binary"
  sed "s|^ExecStart=/usr/local/|ExecStart=$prefix/|" "$from/bitville-$name.service" | put 0644 "$unit"
  put 0644 "$users" <"$from/bitville-$name.sysusers"
  if [ -e "$root$settings" ]; then
    echo "keeping    $root$settings"
  else
    put 0600 "$settings" <"$from/$name.env.example"
  fi
  if live; then
    run systemd-sysusers "$users"
    run systemctl daemon-reload
  else
    echo "Next, where it is to run: systemd-sysusers && systemctl daemon-reload"
  fi
  key="such as openssl rand -hex 20 makes"
  [ "$name" = listener ] || key="which is one of the listener's, and the listener's URL"
  cat <<END
Next:
  set a key in $settings, $key
  systemctl enable --now bitville-$name     (an older one that runs: systemctl restart bitville-$name)
  systemctl status bitville-$name           (what is wrong with the settings it says: journalctl -u bitville-$name -o cat)
END
  ;;
uninstall)
  if live && systemctl cat "bitville-$name" >/dev/null 2>&1; then run systemctl disable --now "bitville-$name"; fi
  files=("$unit" "$users")
  [ "$name" != listener ] || files+=("$program") # an agent leaves it: the listener may use it, or another agent
  for file in "${files[@]}"; do
    if [ -e "$root$file" ]; then run rm "$root$file"; else echo "not found  $root$file"; fi
  done
  if live; then run systemctl daemon-reload; fi
  if [ "$name" = listener ]; then
    cat <<END
Left are the settings in $root${settings%/*}, the records in $root$records and the user bitville. To remove them too:
  rm -r $root${settings%/*} $root$records && userdel bitville
END
  else
    echo "Left are the program, the settings $root$settings and the records in $root$records."
  fi
  ;;
*)
  echo "say what to do: make install or make uninstall" >&2
  exit 1
  ;;
esac
