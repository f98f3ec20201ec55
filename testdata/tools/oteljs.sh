# OpenTelemetry for JavaScript: the SDK, both of its OTLP exporters, and what it instruments of a small site on PostgreSQL.
# Later ones take Node 22.
used_by="the tests with real OpenTelemetry clients"
packages=(@opentelemetry/exporter-trace-otlp-http@0.223.1 @opentelemetry/exporter-trace-otlp-proto@0.223.1 @opentelemetry/sdk-trace-node@2.12.1
  @opentelemetry/instrumentation@0.223.0 @opentelemetry/instrumentation-http@0.223.0 @opentelemetry/instrumentation-pg@0.76.0 pg@8.23.1)

there() { has_npm oteljs "${packages[@]}"; }
install() { npm_into oteljs "${packages[@]}"; }
