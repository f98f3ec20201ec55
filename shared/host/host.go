// Package host is what functions are made of, the same in the process and on AWS Lambda.
package host

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/config"
	"github.com/bitville/listener/shared/intake"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/web"
)

// Deps is what a host gives to its functions.
type Deps struct {
	Log     *slog.Logger
	Now     func() time.Time
	Version string // of the listener; "(devel)" when it is empty
	Store   store.Writer
	Observe func(web.Observation) // told of each request, for metrics

	Intake intake.Config // of all functions together, for they share memory and the throttle
}

// Observers are told what happens, for metrics.
type Observers struct {
	Request func(web.Observation)
	Records func(store.Count)
}

// Unobserved is a host without metrics.
var Unobserved = Observers{Request: func(web.Observation) {}, Records: func(store.Count) {}}

// New makes what settings ask for. now is the host's clock.
func New(cfg config.Config, db store.Writer, log *slog.Logger, now func() time.Time, version string, told Observers) Deps {
	return Deps{
		Log: log, Now: now, Version: version, Store: db, Observe: told.Request,
		Intake: intake.Config{
			Keys:      auth.NewKeys(cfg.Keys),
			Store:     db,
			Log:       log,
			Now:       now,
			Retention: cfg.Retention,
			Bodies:    intake.NewBodies(cfg.MaxBodyBytes),
			Throttle:  auth.NewThrottle(cfg.AuthFailuresPerMinute, now),
			Proxies:   cfg.TrustedProxies,
			Count:     told.Records,
		},
	}
}

// Handler serves the routes of functions.
func (d Deps) Handler(routes ...web.Routes) http.Handler {
	return web.New(web.Config{Log: d.Log, Observe: d.Observe}, routes...)
}
