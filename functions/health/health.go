// Package health tells whether the listener is alive and whether it can store a record now.
package health

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/web"
)

// Paths are where the handler answers.
var Paths = []string{"/health", "/ready"}

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
	Log     *slog.Logger
	Now     func() time.Time
	Version string                // of the listener; "(devel)" when it is empty
	Observe func(web.Observation) // for metrics; may be nil
}

// New returns the handler of GET /health and GET /ready. /health touches nothing: it says that the process
// answers. /ready asks the store by the path that a record takes.
func New(cfg Config) http.Handler {
	started := cfg.Now()
	version := cmp.Or(cfg.Version, "(devel)")
	ready := question{ask: cfg.Store.Ready}
	return web.New(web.Config{Log: cfg.Log, Observe: cfg.Observe}, web.Routes{
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
	})
}

// question asks the store for many requests at one time: whoever has no key may ask, and each question is a commit.
type question struct {
	ask func(ctx context.Context) error

	mu  sync.Mutex // held while the store is asked
	at  time.Time  // of the answer
	err error
}

// answer returns what the store says, or said a moment ago. A client that goes away does not take its question back,
// for others wait for the answer.
func (q *question) answer(ctx context.Context) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if time.Since(q.at) >= readyFresh {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), web.TimeLeft(ctx, readyTimeout))
		defer cancel()
		q.err = q.ask(ctx)
		q.at = time.Now()
	}
	return q.err
}
