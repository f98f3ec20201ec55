# Let's Encrypt's small ACME authority for tests, and the DNS server that comes with it.
used_by="the ACME tests"

there() { command -v pebble >/dev/null && command -v pebble-challtestsrv >/dev/null; }
install() { debian pebble; }
