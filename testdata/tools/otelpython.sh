# OpenTelemetry for Python: the SDK, both of its OTLP exporters, and what it instruments of a small site on PostgreSQL.
used_by="the tests with real OpenTelemetry clients"
packages=(opentelemetry-sdk==1.45.1 opentelemetry-exporter-otlp-proto-http==1.45.1 opentelemetry-exporter-otlp-json-http==0.66b1
  opentelemetry-instrumentation-psycopg2==0.66b1 opentelemetry-instrumentation-wsgi==0.66b1 psycopg2-binary==2.9.13)

there() { [ "$(cat "$tools/otelpython/packages" 2>/dev/null)" = "${packages[*]}" ]; }

# Scripts in a virtual environment name its folder: it is made in its place, and marked when it is whole.
install() {
  python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' ||
    { echo "It takes Python 3.10 or later with venv: on Debian 12, run 'sudo apt-get install python3-venv'"; return 1; }
  rm -rf "$tools/otelpython" && python3 -m venv "$tools/otelpython" &&
    "$tools/otelpython/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}" &&
    echo "${packages[*]}" >"$tools/otelpython/packages"
}
