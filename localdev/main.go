// Command listener is the one-process host: every function's handler on one HTTPS listener, an embedded
// SQLite database, and a purge every hour.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/bitville/listener/functions/retention"
	"github.com/bitville/listener/shared/config"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/libsql"
	"github.com/bitville/listener/shared/store/sqlite"
)

// version is set by the linker; see the Makefile.
var version = ""

// memoryLimit is what the Go runtime keeps to, collecting more often near it. With what SQLite takes beside it, and
// the program itself, a process stays under 256 MB. GOMEMLIMIT in the environment sets another.
const memoryLimit = 176 << 20

// lastLines is how long the end of the process waits for whoever reads the log.
const lastLines = time.Second

const usage = `listener takes profiling records over HTTPS and UDP, and keeps them in SQLite or on a libSQL server.

usage: listener [command]

  serve      serve until SIGTERM or SIGINT (the default); a second signal ends it at once
  dev        the same with a key, a certificate and a database of its own in the folder .dev
  check      tell all that would keep serve from starting: settings, database, certificate, addresses; run it as the
             user that serves; it serves and makes nothing
  purge      delete the records that are older than BITVILLE_RETENTION; safe while a listener runs; with -force
             also when the clock has moved by more than a day since the last purge
  show ID    print what is stored under a correlation id: the request and its queries, a JSON line each
  backup F   copy the database, a file, into the new file F; safe while a listener runs
  version    print the version

Settings come from the environment; README.md lists them, as does /etc/bitville/listener.env where it was installed.
`

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT) // before there is anything that a signal would leave unfinished
	go func() {
		<-signals
		cancel()
		<-signals
		os.Exit(1)
	}()
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	// A reader of standard error that goes costs its lines and not the service, one of standard output the command, with
	// an error: a write there would end the process by SIGPIPE.
	signal.Ignore(syscall.SIGPIPE)
	lines := newLogWriter(os.Stderr)
	err := run(ctx, os.Args[1:], os.Environ(), os.Stdout, lines)
	if err != nil {
		printError(lines, err)
	}
	lines.Close(lastLines)
	if err != nil {
		os.Exit(1)
	}
}

func run(ctx context.Context, args, environ []string, stdout io.Writer, stderr *logWriter) error {
	command := "serve"
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	if slices.Contains([]string{"-h", "-help", "--help"}, strings.Join(args, " ")) {
		command, args = "help", nil
	}
	force := command == "purge" && slices.Equal(args, []string{"-force"})
	if force {
		args = nil
	}
	takes := map[string]int{"serve": 0, "dev": 0, "check": 0, "-check": 0, "purge": 0, "backup": 1, "show": 1}
	if want, ok := takes[command]; ok && len(args) != want {
		return fmt.Errorf("%s takes %d argument(s), not %d; see listener help", command, want, len(args))
	}
	switch command {
	case "help", "-h", "-help", "--help":
		_, err := io.WriteString(stdout, usage)
		return err
	case "version", "-version", "--version":
		_, err := fmt.Fprintln(stdout, versionText())
		return err
	case "serve":
		cfg, log, err := prepare(ctx, environ, stderr, true)
		if err != nil {
			return err
		}
		return serve(ctx, cfg, log, func(served) {})
	case "dev":
		environ, err := setUpDev(environ)
		if err != nil {
			return fmt.Errorf("set up %s: %w", devDir, err)
		}
		cfg, log, err := prepare(ctx, environ, stderr, true)
		if err != nil {
			return err
		}
		return serve(ctx, cfg, log, func(s served) {
			if err := greet(stdout, cfg, s); err != nil {
				log.Warn("how to post a record cannot be printed", "error", err)
			}
		})
	case "check", "-check", "--check":
		if _, _, err := prepare(ctx, environ, stderr, false); err != nil {
			return err
		}
		_, err := fmt.Fprintln(stdout, "all is right")
		return err
	case "purge", "backup", "show":
		cfg, log, problems := load(config.LoadCommand, environ, stderr)
		if problems != nil {
			return *problems
		}
		switch command {
		case "purge":
			return purge(ctx, cfg, log, force)
		case "backup":
			return backup(ctx, cfg, log, args[0])
		}
		return show(ctx, cfg, args[0], stdout)
	}
	return fmt.Errorf("unknown command %q; see listener help", command)
}

// openDB opens the database: a file as the rest of its Config says.
func openDB(ctx context.Context, cfg config.Config, file sqlite.Config) (store.Store, error) {
	if cfg.DBURL != "" {
		return openServer(cfg)
	}
	file.Path, file.Synchronous, file.Now = cfg.DBPath, cfg.DBSynchronous, now
	db, err := sqlite.Open(ctx, file)
	if err != nil {
		return nil, cannotOpen(cfg.DBPath, err)
	}
	return db, nil
}

// cannotOpen tells in one line why a database file cannot be used. A reason is told without the driver's words.
func cannotOpen(path string, err error) error {
	if u, ok := errors.AsType[*store.Unavailable](err); ok {
		err = errors.New(u.Reason)
	}
	return fmt.Errorf("open the database %s (BITVILLE_DB_PATH): %w", path, err)
}

func openServer(cfg config.Config) (*libsql.DB, error) {
	db, err := libsql.New(libsql.Config{URL: cfg.DBURL, AuthToken: cfg.DBAuthToken, Now: now})
	if err != nil {
		return nil, fmt.Errorf("use the database server (BITVILLE_DB_URL): %w", err)
	}
	return db, nil
}

func purge(ctx context.Context, cfg config.Config, log *slog.Logger, force bool) error {
	if cfg.DBPath != "" { // serve makes a missing file; a purge has nothing to do in one
		if _, err := os.Stat(cfg.DBPath); err != nil {
			return fmt.Errorf("look for the database (BITVILLE_DB_PATH): %w", err)
		}
	}
	db, err := openDB(ctx, cfg, sqlite.Config{Log: log})
	if err != nil {
		return err
	}
	if file, ok := db.(*sqlite.DB); ok && force {
		if err := file.TrustClock(ctx); err != nil {
			return errors.Join(err, db.Close())
		}
	}
	_, err = retention.Run(ctx, retention.Config{Store: db, Log: log, Now: now, Retention: cfg.Retention})
	return errors.Join(err, db.Close())
}

func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
