// A small site on PostgreSQL with OpenTelemetry's instrumentation: answers requests and prints the trace id of each.
//
//   node otel.js json|protobuf SOCKET_FOLDER [REQUESTS]     the exporter is set by OTEL_EXPORTER_OTLP_… alone
//
// The packages are where NODE_PATH says.
const [form, socket, requests = '1'] = process.argv.slice(2)
const { NodeTracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace-node')
const { resourceFromAttributes } = require('@opentelemetry/resources')
const { registerInstrumentations } = require('@opentelemetry/instrumentation')
const { HttpInstrumentation } = require('@opentelemetry/instrumentation-http')
const { PgInstrumentation } = require('@opentelemetry/instrumentation-pg')
const { OTLPTraceExporter } = require(form === 'json' ? '@opentelemetry/exporter-trace-otlp-http' : '@opentelemetry/exporter-trace-otlp-proto')

const provider = new NodeTracerProvider({
  resource: resourceFromAttributes({ 'service.name': process.env.OTEL_SERVICE_NAME }),
  spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
})
provider.register()
registerInstrumentations({
  tracerProvider: provider,
  instrumentations: [
    // The request to itself is the test's, and not the site's.
    new HttpInstrumentation({ ignoreOutgoingRequestHook: () => true }),
    new PgInstrumentation({ enhancedDatabaseReporting: true }),
  ],
})

const http = require('http')
const { Client } = require('pg')
const { trace } = require('@opentelemetry/api')

const site = http.createServer(async (request, response) => {
  console.log(trace.getActiveSpan().spanContext().traceId)
  const db = new Client({ host: socket, user: 'postgres', database: 'postgres' })
  await db.connect()
  await db.query('SELECT 41 + $1::int', [1])
  await db.query("SELECT 'a secret'")
  await db.end()
  response.end('ok')
})

site.listen(0, '127.0.0.1', async () => {
  for (let n = 0; n < Number(requests); n++) {
    await new Promise((done) => http.get({ port: site.address().port, path: '/things/42?token=hush' }, (answer) => answer.resume().on('end', done)))
  }
  site.close()
  await provider.shutdown()
})
