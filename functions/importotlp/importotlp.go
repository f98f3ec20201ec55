// Package importotlp takes the spans of OpenTelemetry's SDKs and of pg_tracing, by OTLP over HTTP.
package importotlp

import (
	"github.com/bitville/listener/shared/intake"
	"github.com/bitville/listener/shared/web"
	"github.com/bitville/listener/shared/wire/otlp"
)

// Path is where the handler answers, OTLP's own.
const Path = "/v1/traces"

// Patterns are the function's routes: the second is for a client that has its key in the URL's path.
var Patterns = []string{"POST " + Path, "POST " + intake.KeyInPath(Path)}

// New returns the function's routes.
func New(cfg intake.Config) web.Routes {
	return intake.New(Path, otlp.Wire{Privacy: otlp.Privacy{Keep: cfg.Keep, Redact: cfg.Redact}}, cfg)
}
