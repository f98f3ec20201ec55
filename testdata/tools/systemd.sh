# systemd-analyze, which judges the unit file, and the kill that the unit names. systemd is not started.
used_by="the test of the unit file"

there() { command -v systemd-analyze >/dev/null && [ -x /bin/kill ]; }
install() { debian systemd procps; }
