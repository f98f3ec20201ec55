package main

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/bitville/listener/functions/health"
	"github.com/bitville/listener/functions/ingestphp"
	"github.com/bitville/listener/functions/ingestpostgres"
	"github.com/bitville/listener/localdev/certs"
	"github.com/bitville/listener/localdev/conns"
	"github.com/bitville/listener/localdev/metrics"
	"github.com/bitville/listener/localdev/udp"
	"github.com/bitville/listener/shared/config"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/sqlite"
)

// watch hands what happens to the metrics. Where no address is set for them it does nothing.
type watch struct {
	cfg config.Config
	log *slog.Logger
	*metrics.Metrics

	// What the metrics ask, known before they are served.
	db           store.Store
	certificates *certs.Source
	connections  *conns.Listener
}

func newWatch(cfg config.Config, log *slog.Logger) *watch {
	w := &watch{cfg: cfg, log: log}
	if cfg.MetricsAddr == "" {
		return w
	}
	var projects, reasons []string
	for _, k := range cfg.Keys {
		if !slices.Contains(projects, k.Project) {
			projects = append(projects, k.Project)
		}
	}
	for _, r := range udp.Reasons() {
		reasons = append(reasons, string(r))
	}
	c := metrics.Config{
		Version:     versionText(),
		Paths:       append([]string{ingestphp.Path, ingestpostgres.Path}, health.Paths...),
		Sources:     []record.Source{ingestphp.Source, ingestpostgres.Source},
		Projects:    projects,
		DropReasons: reasons,
		Retention:   cfg.Retention,
		Log:         log,
		Now:         now,
		Ready:       func(ctx context.Context) error { return w.db.Ready(ctx) },
		Certificate: func() metrics.Certificate {
			s := w.certificates.Status()
			return metrics.Certificate{NotAfter: s.NotAfter, Reloads: s.Reloads, Failures: s.Failures, OK: s.Err == ""}
		},
		Connections: func() metrics.Connections {
			s := w.connections.Stats()
			return metrics.Connections{Open: s.Open, Closed: s.Closed, Refused: s.Refused}
		},
	}
	if cfg.DBPath != "" {
		c.Store = func(ctx context.Context) (sqlite.Stats, error) { return w.db.(*sqlite.DB).Stats(ctx) }
	}
	w.Metrics = metrics.New(c)
	return w
}

// observers returns what the handlers tell.
func (w *watch) observers() observers {
	if w.Metrics == nil {
		return observers{}
	}
	return observers{request: w.Request, records: w.Records}
}

func (w *watch) commit() func(sqlite.Commit) {
	if w.Metrics == nil {
		return nil
	}
	return w.Commit
}

func (w *watch) drop(reason udp.Reason, n int) {
	if w.Metrics != nil {
		w.Drop(string(reason), n)
	}
}

func (w *watch) datagrams(c store.Count) {
	if w.Metrics != nil {
		w.Datagrams(c)
	}
}

func (w *watch) purged(report store.PurgeReport, err error) {
	if w.Metrics != nil {
		w.Purged(report, err)
	}
}

// serve serves the metrics, in the background, until the returned function is called.
func (w *watch) serve(db store.Store, certificates *certs.Source, connections *conns.Listener) (stop func(), err error) {
	if w.Metrics == nil {
		return func() {}, nil
	}
	w.db, w.certificates, w.connections = db, certificates, connections
	listener, err := net.Listen("tcp", w.cfg.MetricsAddr)
	if err != nil {
		return nil, cannotListen(w.cfg.MetricsAddr, "BITVILLE_METRICS_ADDR", err)
	}
	server := &http.Server{
		Handler:        w.Handler(),
		ReadTimeout:    headerTimeout,
		WriteTimeout:   3 * time.Minute, // a profile takes as many seconds as are asked for
		IdleTimeout:    2 * time.Minute, // above Prometheus's usual minute between scrapes
		MaxHeaderBytes: maxHeaderBytes,
		ErrorLog:       serverLog(w.log),
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // until Close: Serve itself tries again after what an accept can meet
	}()
	w.log.Info("serving metrics", "addr", listener.Addr().String())
	return func() {
		_ = server.Close()
		<-ended
	}, nil
}
