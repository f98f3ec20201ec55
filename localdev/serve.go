package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/bitville/listener/functions/ingestphp"
	"github.com/bitville/listener/functions/ingestpostgres"
	"github.com/bitville/listener/functions/retention"
	"github.com/bitville/listener/localdev/certs"
	"github.com/bitville/listener/localdev/udp"
	"github.com/bitville/listener/shared/config"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/sqlite"
)

// drainTimeout is how long requests under way may take after SIGTERM.
const drainTimeout = 8 * time.Second

// served is what is known once the listener serves.
type served struct {
	addr     net.Addr
	certPath string
}

// serve runs the listener until ctx ends, then answers what is under way and stores what is queued.
func serve(ctx context.Context, cfg config.Config, log *slog.Logger, started func(served)) (err error) {
	watch := newWatch(cfg, log)
	db, err := openDB(ctx, cfg, sqlite.Config{Log: log, Observe: watch.commit(), Exclusive: true})
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
	handler := newHandler(cfg, log, db, watch.observers())
	server, bounded := newServer(cfg, log, listener, certificates.TLSConfig(), handler)
	stopWatch, err := watch.serve(db, certificates, bounded)
	if err != nil {
		return err
	}
	defer stopWatch()
	datagrams, err := listenUDP(cfg, log, db, watch)
	if err != nil {
		return err
	}

	// What runs beside the server ends with it, and before the database is closed.
	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer cancel()
	systemd := notifier{log: log}
	beside.Go(func() { certificates.Run(ctx) })
	beside.Go(func() { reloadOnHangup(ctx, certificates, systemd) })
	beside.Go(func() { systemd.watch(ctx, healthy(handler)) })
	beside.Go(func() { purgeHourly(ctx, cfg, log, db, watch) })
	if datagrams != nil {
		beside.Go(func() { datagrams.Run(ctx) })
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

// listenUDP returns what takes datagrams, nil when nothing is to.
func listenUDP(cfg config.Config, log *slog.Logger, db store.Writer, watch *watch) (*udp.Receiver, error) {
	if cfg.UDPAddr == "" {
		return nil, nil
	}
	receiver, err := udp.Listen(udp.Config{
		Addr:      cfg.UDPAddr,
		Keys:      cfg.Keys,
		Sources:   map[string]record.Source{"php": ingestphp.Source, "postgres": ingestpostgres.Source},
		Retention: cfg.Retention,
		Store:     db,
		Log:       log,
		Now:       now,
		Drop:      watch.drop,
		Count:     watch.datagrams,
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
func purgeHourly(ctx context.Context, cfg config.Config, log *slog.Logger, db retention.Store, watch *watch) {
	job := func() {
		report, err := retention.Run(ctx, retention.Config{Store: db, Log: log, Now: now, Retention: cfg.Retention})
		watch.purged(report, err) // it is logged, and the next hour tries again
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
