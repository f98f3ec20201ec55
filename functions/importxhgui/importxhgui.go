// Package importxhgui takes the profiles of php-profiler, XHGui's client, as XHGui takes them.
package importxhgui

import (
	"github.com/bitville/listener/shared/intake"
	"github.com/bitville/listener/shared/web"
	"github.com/bitville/listener/shared/wire/xhgui"
)

// Path is where the handler answers, XHGui's own.
const Path = "/run/import"

// Patterns are the function's routes: the second is for a client that has its key in the URL's path.
var Patterns = []string{"POST " + Path, "POST " + intake.KeyInPath(Path)}

// New returns the function's routes.
func New(cfg intake.Config) web.Routes {
	return intake.New(Path, xhgui.Wire{Keep: cfg.Keep}, cfg)
}
