# promtool, which comes with Prometheus. Prometheus itself is not to start with the machine.
used_by="the tests of the metrics and alerts"

there() { command -v promtool >/dev/null; }
install() { debian prometheus && { systemctl disable prometheus || true; }; }
