// Package importbuggregator takes the profiles of Buggregator's profiler client, as Buggregator takes them.
package importbuggregator

import (
	"github.com/bitville/listener/shared/intake"
	"github.com/bitville/listener/shared/web"
	"github.com/bitville/listener/shared/wire/buggregator"
)

// Path is where the handler answers, Buggregator's own.
const Path = "/api/profiler/store"

// Patterns are the function's routes: the second is for a client that has its key in the URL's path.
var Patterns = []string{"POST " + Path, "POST " + intake.KeyInPath(Path)}

// New returns the function's routes.
func New(cfg intake.Config) web.Routes {
	return intake.New(Path, buggregator.Wire{Keep: cfg.Keep}, cfg)
}
