"""A small site on PostgreSQL with OpenTelemetry's instrumentation: answers requests and prints the trace id of each.

   python otel.py json|protobuf SOCKET_FOLDER [REQUESTS]     the exporter is set by OTEL_EXPORTER_OTLP_… alone
"""
import sys
from wsgiref.util import setup_testing_defaults

import psycopg2
from opentelemetry import trace
from opentelemetry.instrumentation.psycopg2 import Psycopg2Instrumentor
from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

form, socket = sys.argv[1:3]
requests = int(sys.argv[3]) if len(sys.argv) > 3 else 1
if form == "json":
    from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter
else:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
Psycopg2Instrumentor().instrument(enable_commenter=True)


def site(environ, start_response):
    print(format(trace.get_current_span().get_span_context().trace_id, "032x"))
    with psycopg2.connect(host=socket, user="postgres", dbname="postgres") as db, db.cursor() as cursor:
        cursor.execute("SELECT 41 + %s", (1,))
        cursor.execute("SELECT 'a secret'")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok"]


site = OpenTelemetryMiddleware(site)
for n in range(requests):
    environ = {"PATH_INFO": "/things/42", "QUERY_STRING": "token=hush", "REQUEST_URI": "/things/42?token=hush"}
    setup_testing_defaults(environ)
    answer = site(environ, lambda status, headers, exc_info=None: None)
    b"".join(answer)
    getattr(answer, "close", lambda: None)()
provider.shutdown()
