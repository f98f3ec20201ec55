# The load generator.
used_by="make bench"

there() { command -v wrk >/dev/null; }
install() { debian wrk; }
