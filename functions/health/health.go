// Package health tells whether the listener is alive and whether it can store a record now.
package health

import (
	"context"
	"errors"
	"log/slog"
	"math"
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
	Version string // of the listener
}

type readiness struct {
	Ready    bool    `json:"ready"`
	Uptime   float64 `json:"uptime"` // seconds since New
	Version  string  `json:"version"`
	Database string  `json:"database"`        // "ok", or why no record can be stored
	Error    string  `json:"error,omitempty"` // as every answer that is not 200 has it
}

// New returns the handler of GET /health and GET /ready. /health touches nothing: it says that the process
// answers. /ready asks the store by the path that a record takes.
func New(cfg Config) http.Handler {
	started := cfg.Now()
	return api.New(cfg.Log, api.Routes{
		"GET /health": func(w *api.Response, _ *http.Request) error {
			w.Text(http.StatusOK, "OK")
			return nil
		},
		"GET /ready": func(w *api.Response, r *http.Request) error {
			ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
			defer cancel()
			uptime := math.Round(cfg.Now().Sub(started).Seconds()*1000) / 1000
			answer := readiness{Ready: true, Uptime: uptime, Version: cfg.Version, Database: "ok"}
			err := cfg.Store.Ready(ctx)
			if err == nil {
				return w.JSON(http.StatusOK, answer)
			}
			answer.Ready, answer.Database, answer.Error = false, "failed", "Not ready"
			after := time.Second
			if u, ok := errors.AsType[*store.Unavailable](err); ok {
				answer.Database, after = u.Reason, u.RetryAfter
			}
			w.Header().Set("Retry-After", api.RetryAfter(after))
			w.Log(slog.String("error", err.Error()))
			return w.JSON(http.StatusServiceUnavailable, answer)
		},
	})
}
