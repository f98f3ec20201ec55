// Package health tells whether the listener is alive and whether it can store a record now.
package health

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/web"
)

// Patterns are what the function answers.
var Patterns = []string{"GET /health", "GET /ready"}

const (
	readyTimeout = 3 * time.Second        // for which /ready waits for the store before it says no
	readyFresh   = 100 * time.Millisecond // for which an answer of the store is given to others that ask
)

// Store is asked whether a record could be stored now. The error says why not.
type Store interface {
	Ready(ctx context.Context) error
}

// Config is what the handler needs.
type Config struct {
	Store   Store
	Now     func() time.Time
	Version string // of the listener; "(devel)" when it is empty
}

// New returns the routes of GET /health and GET /ready. /health touches nothing: it says that the process
// answers. /ready asks the store by the path that a record takes.
func New(cfg Config) web.Routes {
	started := cfg.Now()
	version := cmp.Or(cfg.Version, "(devel)")
	ready := readiness{ask: cfg.Store.Ready}
	return web.Routes{
		"GET /health": func(w *web.Response, _ *http.Request) error {
			w.Text(http.StatusOK, "OK")
			return nil
		},
		"GET /ready": func(w *web.Response, r *http.Request) error {
			uptime := float64(cfg.Now().Sub(started).Round(time.Millisecond).Milliseconds()) / 1000
			answer := map[string]any{"ready": true, "uptime": uptime, "version": version, "database": "ok"}
			err := ready.answer(r.Context())
			if err == nil {
				return w.JSON(http.StatusOK, answer)
			}
			answer["ready"], answer["database"] = false, "failed"
			after := time.Second
			if u, ok := errors.AsType[*store.Unavailable](err); ok {
				answer["database"], after = u.Reason, u.RetryAfter
			}
			return &web.Error{
				Status: http.StatusServiceUnavailable,
				Text:   "Not ready",
				Fields: answer,
				Header: http.Header{"Retry-After": {web.RetryAfter(after)}},
				Cause:  err,
			}
		},
	}
}

// readiness asks the store once for many requests: whoever has no key may ask, and each time costs a commit.
type readiness struct {
	ask func(ctx context.Context) error

	mu  sync.Mutex // held while the store is asked
	at  time.Time  // of the answer
	err error
}

// answer returns what the store says, or said a moment ago. A client that goes away does not end the asking, for others
// wait for the answer.
func (r *readiness) answer(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.at) >= readyFresh {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), web.TimeLeft(ctx, readyTimeout))
		defer cancel()
		r.err = r.ask(ctx)
		r.at = time.Now()
	}
	return r.err
}
