package main

import (
	"log/slog"
	"net/http"

	"github.com/bitville/listener/functions/health"
	"github.com/bitville/listener/functions/ingestphp"
	"github.com/bitville/listener/functions/ingestpostgres"
	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/config"
	"github.com/bitville/listener/shared/intake"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/web"
)

// observers are told what happens, for metrics. Any of them may be nil.
type observers struct {
	request func(web.Observation)
	records func(store.Count)
}

// newHandler mounts every function on its paths.
func newHandler(cfg config.Config, log *slog.Logger, db store.Writer, watch observers) http.Handler {
	ingestCfg := intake.Config{
		Keys:      auth.NewKeys(cfg.Keys),
		Store:     db,
		Log:       log,
		Now:       now,
		Retention: cfg.Retention,
		Bodies:    intake.NewBodies(cfg.MaxBodyBytes),
		Throttle:  auth.NewThrottle(cfg.AuthFailuresPerMinute, now),
		Proxies:   cfg.TrustedProxies,
		Observe:   watch.request,
		Count:     watch.records,
	}
	functions := map[string]http.Handler{
		ingestphp.Path:      ingestphp.New(ingestCfg),
		ingestpostgres.Path: ingestpostgres.New(ingestCfg),
	}
	healthHandler := health.New(health.Config{Store: db, Log: log, Now: now, Version: versionText(), Observe: watch.request})
	for _, path := range health.Paths {
		functions[path] = healthHandler
	}
	nowhere := web.New(web.Config{Log: log, Observe: watch.request}, nil)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, ok := functions[r.URL.Path]
		if !ok {
			h = nowhere
		}
		h.ServeHTTP(w, r)
	})
}
