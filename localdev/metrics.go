package main

import (
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/bitville/listener/functions"
	"github.com/bitville/listener/localdev/certs"
	"github.com/bitville/listener/localdev/conns"
	"github.com/bitville/listener/localdev/metrics"
	"github.com/bitville/listener/localdev/udp"
	"github.com/bitville/listener/shared/config"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/sqlite"
)

// newMetrics returns the counters of all functions. They count whether or not they are served.
func newMetrics(cfg config.Config) *metrics.Metrics {
	c := metrics.Config{Version: versionText(), Retention: cfg.Retention, Now: now}
	for _, f := range functions.All {
		for _, pattern := range f.Patterns {
			if _, path, _ := strings.Cut(pattern, " "); !strings.HasSuffix(path, metrics.JSON) && !slices.Contains(c.Paths, path) {
				c.Paths = append(c.Paths, path)
			}
		}
		if f.Agent != "" {
			c.Sources = append(c.Sources, f.Source)
		}
	}
	for _, k := range cfg.Keys {
		if !slices.Contains(c.Projects, k.Project) {
			c.Projects = append(c.Projects, k.Project)
		}
	}
	for _, r := range udp.Reasons() {
		c.DropReasons = append(c.DropReasons, string(r))
	}
	return metrics.New(c)
}

// sourcesOf are what the metrics ask at each scrape.
func sourcesOf(db store.Store, certificates *certs.Source, connections *conns.Listener) metrics.Sources {
	from := metrics.Sources{
		Ready: db.Ready,
		Certificate: func() metrics.Certificate {
			s := certificates.Status()
			return metrics.Certificate{NotAfter: s.NotAfter, Reloads: s.Reloads, Failures: s.Failures, OK: s.Err == ""}
		},
		Connections: func() metrics.Connections { return metrics.Connections(connections.Stats()) },
	}
	if file, ok := db.(*sqlite.DB); ok {
		from.Store = file.Stats
	}
	return from
}

// serveMetrics serves the metrics' handler on BITVILLE_METRICS_ADDR, which may be empty, in the background, until the returned function is called.
func serveMetrics(addr string, log *slog.Logger, handler http.Handler) (stop func(), err error) {
	if addr == "" {
		return func() {}, nil
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, cannotListen(addr, "BITVILLE_METRICS_ADDR", err)
	}
	server := &http.Server{
		Handler:        handler,
		ReadTimeout:    headerTimeout,
		WriteTimeout:   3 * time.Minute, // a profile takes as many seconds as are asked for
		IdleTimeout:    2 * time.Minute, // above Prometheus's usual minute between scrapes
		MaxHeaderBytes: maxHeaderBytes,
		ErrorLog:       serverLog(log),
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // until Close: Serve itself tries again after what an accept can meet
	}()
	log.Info("serving metrics", "addr", listener.Addr().String())
	return func() {
		_ = server.Close()
		<-ended
	}, nil
}
