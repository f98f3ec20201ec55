package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/bitville/listener/functions/health"
	"github.com/bitville/listener/functions/ingestphp"
	"github.com/bitville/listener/functions/ingestpostgres"
	"github.com/bitville/listener/functions/retention"
	"github.com/bitville/listener/shared/api"
	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/config"
	"github.com/bitville/listener/shared/ingest"
)

// Limits of a connection, so that a client that does nothing costs nothing for long.
const (
	headerTimeout  = 10 * time.Second // handshake and headers
	readTimeout    = 30 * time.Second // headers and body
	writeTimeout   = 75 * time.Second // body, store and an answer that nobody reads for 30 s
	idleTimeout    = 60 * time.Second
	maxHeaderBytes = 32<<10 - 4096   // net/http adds 4096
	drainTimeout   = 8 * time.Second // for requests under way after SIGTERM
)

// served is what is known once the listener serves.
type served struct {
	addr     net.Addr
	certPath string
}

// recordStore is what the handlers need of a database.
type recordStore interface {
	ingest.Store
	health.Store
}

// newHandler mounts every function on its paths.
func newHandler(cfg config.Config, log *slog.Logger, db recordStore) http.Handler {
	ingestCfg := ingest.Config{
		Keys:         auth.NewKeys(cfg.Keys),
		Store:        db,
		Log:          log,
		Now:          time.Now,
		Retention:    cfg.Retention,
		MaxBodyBytes: cfg.MaxBodyBytes,
	}
	functions := map[string]http.Handler{
		ingestphp.Path:      ingestphp.New(ingestCfg),
		ingestpostgres.Path: ingestpostgres.New(ingestCfg),
	}
	healthHandler := health.New(health.Config{Store: db, Log: log, Now: time.Now, Version: versionText()})
	for _, path := range health.Paths {
		functions[path] = healthHandler
	}
	nowhere := api.New(api.Config{Log: log}, nil)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, ok := functions[r.URL.Path]
		if !ok {
			h = nowhere
		}
		h.ServeHTTP(w, r)
	})
}

// serve runs the listener until ctx ends, then answers what is under way and stores what is queued.
func serve(ctx context.Context, cfg config.Config, log *slog.Logger, started func(served)) (err error) {
	db, err := openDB(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	cert, certPath, err := certificate(cfg, log)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", cfg.ListenAddr)
	if err != nil {
		return fmt.Errorf("listen on %s (BITVILLE_LISTEN_ADDR): %w", cfg.ListenAddr, err)
	}
	server := &http.Server{
		Handler:           newHandler(cfg, log, db),
		TLSConfig:         tlsConfig(cert),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		// net/http would answer "OPTIONS *" itself, without a request id.
		DisableGeneralOptionsHandler: true,

		ErrorLog: serverLog(log),
	}
	stopPurge := schedulePurge(ctx, retention.Config{Store: db, Log: log, Now: time.Now, Retention: cfg.Retention})
	defer stopPurge()

	failed := make(chan error, 1)
	go func() { failed <- server.ServeTLS(listener, "", "") }()
	log.Info("listening", "addr", listener.Addr().String(), "certificate", certPath, "database", cmp.Or(cfg.DBPath, cfg.DBURL), "version", versionText())
	started(served{addr: listener.Addr(), certPath: certPath})

	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	log.Info("stopping")
	drain, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		log.Warn("a client was cut off that did not finish in time", "waited", drainTimeout.String())
		_ = server.Close()
	}
	return nil
}

// schedulePurge purges now and every hour, in the background, until the returned function is called.
func schedulePurge(ctx context.Context, cfg retention.Config) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	job := func() { _, _ = retention.Run(ctx, cfg) } // it logs its error, and the next hour tries again
	schedule := cron.New(cron.WithChain(cron.SkipIfStillRunning(cron.DiscardLogger)))
	if _, err := schedule.AddFunc("@hourly", job); err != nil {
		panic("schedule: " + err.Error())
	}
	first := make(chan struct{})
	go func() {
		defer close(first)
		job()
	}()
	schedule.Start()
	return func() {
		cancel()
		<-first
		<-schedule.Stop().Done()
	}
}

// serverLog takes what net/http logs: clients' broken handshakes, of no interest to an operator, and a few
// things that are.
func serverLog(to *slog.Logger) *log.Logger {
	return log.New(writerFunc(func(line []byte) (int, error) {
		level := slog.LevelDebug
		if bytes.Contains(line, []byte("Accept error")) || bytes.Contains(line, []byte("panic")) {
			level = slog.LevelError
		}
		to.Log(context.Background(), level, strings.TrimSpace(string(line)))
		return len(line), nil
	}), "", 0)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func tlsConfig(cert tls.Certificate) *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{cert},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1", "http/1.0"}, // an old client offers http/1.0 alone
		// A client that writes and closes without reading would turn unread tickets into a reset and lose its
		// request; and PHP's streams wait 44 ms for them on each new connection.
		SessionTicketsDisabled: true,
	}
}
