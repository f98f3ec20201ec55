package intake

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/clientip"
	"github.com/bitville/listener/shared/web"
)

// Authenticate returns the project of a request's key, also with the error that the key is for other routes than path. An
// address that sent many wrong keys is told to wait before it tries more. A good key is never told to wait, because others
// may be behind the same address. The error is a *web.Error.
func (c Config) Authenticate(w *web.Response, r *http.Request, places auth.Places, path string) (project string, err error) {
	client := clientip.Of(r, c.Proxies)
	if len(c.Proxies) > 0 {
		w.Log(slog.String("client", client.String()))
	}
	key, err := places.Key(r)
	if err == nil {
		project, err = c.Keys.Project(key, path)
	}
	if err == nil {
		return project, nil
	}
	if other, ok := errors.AsType[*auth.RouteError](err); ok {
		return project, &web.Error{
			Status: http.StatusForbidden,
			Text:   fmt.Sprintf("The key is for %s alone; nothing was stored", strings.Join(other.Routes, ", ")),
		}
	}
	if wait := c.Throttle.Fail(clientip.Network(client)); wait > 0 {
		return "", &web.Error{
			Status: http.StatusTooManyRequests,
			Text:   "Too many requests without a valid API key from this address; set the right key, and wait",
			Header: http.Header{"Retry-After": {web.RetryAfter(wait)}},
			Cause:  fmt.Errorf("%w, from %s", err, client),
		}
	}
	text := err.Error()
	return "", &web.Error{
		Status: http.StatusUnauthorized,
		Text:   strings.ToUpper(text[:1]) + text[1:],
		Header: http.Header{"Www-Authenticate": {"Bearer"}},
	}
}
