// Package health tells whether the listener is alive and whether it can store a record now.
package health

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/bitville/listener/shared/api"
	"github.com/bitville/listener/shared/store"
)

// Paths are where the handler answers.
var Paths = []string{"/health", "/ready"}

// readyTimeout is how long /ready waits for the store before it says no.
const readyTimeout = 3 * time.Second

// Store is asked whether a record could be stored now. The error says why not.
type Store interface {
	Ready(ctx context.Context) error
}

// Config is what the handler needs.
type Config struct {
	Store   Store
	Log     *slog.Logger
	Now     func() time.Time
	Version string                // of the listener; "(devel)" when it is empty
	Observe func(api.Observation) // for metrics; may be nil
}

// New returns the handler of GET /health and GET /ready. /health touches nothing: it says that the process
// answers. /ready asks the store by the path that a record takes.
func New(cfg Config) http.Handler {
	started := cfg.Now()
	version := cmp.Or(cfg.Version, "(devel)")
	return api.New(api.Config{Log: cfg.Log, Observe: cfg.Observe}, api.Routes{
		"GET /health": func(w *api.Response, _ *http.Request) error {
			w.Text(http.StatusOK, "OK")
			return nil
		},
		"GET /ready": func(w *api.Response, r *http.Request) error {
			ctx, cancel := context.WithTimeout(r.Context(), api.TimeLeft(r.Context(), readyTimeout))
			defer cancel()
			uptime := float64(cfg.Now().Sub(started).Round(time.Millisecond).Milliseconds()) / 1000
			answer := map[string]any{"ready": true, "uptime": uptime, "version": version, "database": "ok"}
			err := cfg.Store.Ready(ctx)
			if err == nil {
				return w.JSON(http.StatusOK, answer)
			}
			answer["ready"], answer["database"] = false, "failed"
			after := time.Second
			if u, ok := errors.AsType[*store.Unavailable](err); ok {
				answer["database"], after = u.Reason, u.RetryAfter
			}
			return &api.Error{
				Status: http.StatusServiceUnavailable,
				Text:   "Not ready",
				Fields: answer,
				Header: http.Header{"Retry-After": {api.RetryAfter(after)}},
				Cause:  err,
			}
		},
	})
}
