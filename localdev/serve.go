package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/bitville/listener/functions"
	"github.com/bitville/listener/functions/retention"
	"github.com/bitville/listener/localdev/certs"
	"github.com/bitville/listener/localdev/metrics"
	"github.com/bitville/listener/localdev/udp"
	"github.com/bitville/listener/shared/config"
	"github.com/bitville/listener/shared/host"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/sqlite"
	"github.com/bitville/listener/shared/web"
)

type serveCommand struct{}

// Run runs the command.
func (serveCommand) Run(p program) error {
	cfg, log, err := prepare(p, true)
	if err != nil {
		return err
	}
	return serve(p.ctx, cfg, log, func(served) {})
}

// drainTimeout is how long requests under way may take after SIGTERM.
const drainTimeout = 8 * time.Second

// served is what is known once the listener serves.
type served struct {
	addr     net.Addr
	certPath string
}

// serve runs the listener until ctx ends, then answers what is under way and stores what is queued.
func serve(ctx context.Context, cfg config.Config, log *slog.Logger, started func(served)) (err error) {
	counts := newMetrics(cfg)
	db, err := openDB(ctx, cfg, sqlite.Config{Log: log, Observe: counts.Commit, Exclusive: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	certificates, err := certs.Open(ctx, certificateConfig(cfg, log))
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", cfg.ListenAddr)
	if err != nil {
		return cannotListen(cfg.ListenAddr, "BITVILLE_LISTEN_ADDR", err)
	}
	defer listener.Close()
	deps := host.New(cfg, db, log, now, versionText(), host.Observers{Request: counts.Request, Records: counts.Records})
	handler := newHandler(deps)
	server, bounded := newServer(cfg, log, listener, certificates.TLSConfig(), handler)
	stopMetrics, err := serveMetrics(cfg.MetricsAddr, log, counts.Handler(sourcesOf(db, certificates, bounded), log))
	if err != nil {
		return err
	}
	defer stopMetrics()
	datagrams, err := listenUDP(cfg, log, db, counts)
	if err != nil {
		return err
	}

	// What runs in the background ends with the server, and before the database is closed.
	ctx, cancel := context.WithCancel(ctx)
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel()
	systemd := notifier{log: log}
	background.Go(func() { certificates.Run(ctx) })
	background.Go(func() { reloadOnHangup(ctx, certificates, systemd) })
	background.Go(func() { systemd.feedWatchdog(ctx, healthy(handler)) })
	background.Go(func() { deps.Intake.Refusals.Run(ctx) })
	background.Go(func() { purgeHourly(ctx, cfg, log, db, counts) })
	if datagrams != nil {
		background.Go(func() { datagrams.Run(ctx) })
	}

	failed := make(chan error, 1)
	go func() { failed <- server.ServeTLS(bounded, "", "") }()
	certPath := certificates.Status().Path
	log.Info("listening", "addr", listener.Addr().String(), "certificate", certPath, "database", cmp.Or(cfg.DBPath, cfg.DBURL), "version", versionText())
	systemd.ready("serving on " + listener.Addr().String())
	started(served{addr: listener.Addr(), certPath: certPath})

	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	log.Info("stopping")
	systemd.stopping()
	drain, cancelDrain := context.WithTimeout(context.Background(), drainTimeout)
	defer cancelDrain()
	if err := server.Shutdown(drain); err != nil {
		log.Warn("a client was cut off that did not finish in time", "waited", drainTimeout.String())
		_ = server.Close()
	}
	return nil
}

// newHandler serves every function that has routes.
func newHandler(deps host.Deps) http.Handler {
	var routes []web.Routes
	for _, f := range functions.All {
		if len(f.Patterns) > 0 {
			routes = append(routes, f.New(deps))
		}
	}
	return deps.Handler(routes...)
}

// listenUDP returns what takes datagrams, nil when nothing is to.
func listenUDP(cfg config.Config, log *slog.Logger, db store.Writer, counts *metrics.Metrics) (*udp.Receiver, error) {
	if cfg.UDPAddr == "" {
		return nil, nil
	}
	sources := make(map[string]record.Source)
	for _, f := range functions.All {
		if f.Agent != "" {
			sources[f.Agent] = f.Source
		}
	}
	receiver, err := udp.Listen(udp.Config{
		Addr:      cfg.UDPAddr,
		Keys:      cfg.Keys,
		Sources:   sources,
		Retention: cfg.Retention,
		Redact:    cfg.Redact == "literals",
		Store:     db,
		Log:       log,
		Now:       now,
		Drop:      func(reason udp.Reason, n int, _ int64) { counts.Drop(string(reason), n) },
		Count:     counts.Datagrams,
	})
	if err != nil {
		return nil, cannotListen(cfg.UDPAddr, "BITVILLE_UDP_ADDR", err)
	}
	log.Info("taking datagrams", "addr", receiver.Addr().String())
	return receiver, nil
}

// reloadOnHangup reads the certificate again on SIGHUP, until ctx ends.
func reloadOnHangup(ctx context.Context, certificates *certs.Source, systemd notifier) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
		}
		systemd.reloading()
		_ = certificates.Reload() // it logs what it did, or why not
		systemd.ready("serving")
	}
}

// purgeHourly purges now and every hour, until ctx ends.
func purgeHourly(ctx context.Context, cfg config.Config, log *slog.Logger, db retention.Store, counts *metrics.Metrics) {
	job := func() {
		report, err := retention.Run(ctx, retention.Config{Store: db, Log: log, Now: now, Retention: cfg.Retention})
		counts.Purged(report, err) // it is logged, and the next hour tries again
	}
	schedule := cron.New(cron.WithChain(cron.SkipIfStillRunning(cron.DiscardLogger)))
	id, err := schedule.AddFunc(purgeSchedule, job)
	if err != nil {
		panic("schedule: " + err.Error())
	}
	schedule.Start()
	schedule.Entry(id).WrappedJob.Run() // it skips the hour's as well
	<-ctx.Done()
	<-schedule.Stop().Done()
}
