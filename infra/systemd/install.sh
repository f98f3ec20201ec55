#!/usr/bin/env bash
# Installs the listener as a systemd service (make install) or removes it (bash infra/systemd/install.sh uninstall). It prints each step. It never
# overwrites or removes settings and records.
set -euo pipefail

from=$(dirname "$0")
root=${DESTDIR:-}
prefix=${PREFIX:-/usr/local}
program=$prefix/bin/listener
case $prefix in
/usr | /usr/local) unit=$prefix/lib/systemd/system users=$prefix/lib/sysusers.d ;;
*) unit=/etc/systemd/system users=/etc/sysusers.d ;; # systemd looks here, whatever the prefix
esac
unit+=/bitville-listener.service users+=/bitville-listener.conf
settings=/etc/bitville/listener.env

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
  sed "s|^ExecStart=/usr/local/|ExecStart=$prefix/|" "$from/bitville-listener.service" | put 0644 "$unit"
  put 0644 "$users" <"$from/bitville-listener.sysusers"
  if [ -e "$root$settings" ]; then
    echo "keeping    $root$settings"
  else
    put 0600 "$settings" <"$from/listener.env.example"
  fi
  if live; then
    run systemd-sysusers "$users"
    run systemctl daemon-reload
  else
    echo "Next, where it is to run: systemd-sysusers && systemctl daemon-reload"
  fi
  cat <<END
Next:
  set a key in $settings, such as openssl rand -hex 20 makes
  systemctl enable --now bitville-listener     (an older one that runs: systemctl restart bitville-listener)
  systemctl status bitville-listener           (what is wrong with the settings it says: journalctl -u bitville-listener -o cat)
END
  ;;
uninstall)
  if live && systemctl cat bitville-listener >/dev/null 2>&1; then run systemctl disable --now bitville-listener; fi
  for file in "$unit" "$users" "$program"; do
    if [ -e "$root$file" ]; then run rm "$root$file"; else echo "not found  $root$file"; fi
  done
  if live; then run systemctl daemon-reload; fi
  cat <<END
Left are the settings in $root${settings%/*}, the records in $root/var/lib/bitville and the user bitville. To remove them too:
  rm -r $root${settings%/*} $root/var/lib/bitville && userdel bitville
END
  ;;
*)
  echo "say what to do: make install or make uninstall" >&2
  exit 1
  ;;
esac
