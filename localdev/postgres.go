package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/bitville/listener/localdev/agent"
	"github.com/bitville/listener/localdev/agent/pgagent"
	"github.com/bitville/listener/localdev/agent/pglog"
	"github.com/bitville/listener/localdev/agent/pgserver"
	"github.com/bitville/listener/localdev/agent/ship"
	"github.com/bitville/listener/localdev/agent/tail"
	"github.com/bitville/listener/shared/config"
)

type postgresCommand struct {
	agentFlags
	LogFiles           string        `name:"log" sets:"BITVILLE_POSTGRES_LOG" placeholder:"WHERE" help:"The log: a folder, a glob, - for standard input, sql to read it over the connection."`
	Format             string        `sets:"BITVILLE_POSTGRES_LOG_FORMAT" placeholder:"auto" help:"jsonlog, csvlog or stderr; auto takes the first of them that is there."`
	LogLinePrefix      string        `sets:"BITVILLE_POSTGRES_LOG_LINE_PREFIX" placeholder:"PREFIX" help:"The server's log_line_prefix, for the format stderr."`
	From               string        `enum:"end,start" default:"end" help:"Where the first start begins: at the log's end or start."`
	DSN                string        `name:"dsn" sets:"BITVILLE_POSTGRES_DSN" placeholder:"DSN" help:"The connection, as libpq takes it."`
	StatementsInterval time.Duration `default:"1m" help:"Between two looks at pg_stat_statements; 0 for none. Without a connection there are none."`
	Redact             string        `sets:"BITVILLE_REDACT" placeholder:"off" help:"literals: no value in a statement or plan leaves this host."`
	AppRole            string        `placeholder:"ROLE" help:"The role of the application, for --check and --print-config."`
	PrintConfig        bool          `help:"Print lines of postgresql.conf, with what they cost, and end."`
}

// Help is what listener agent postgres -help says more.
func (postgresCommand) Help() string {
	return `It reads plans, durations and errors in PostgreSQL's log (jsonlog, csvlog or stderr) and sends each statement under the id of the request
that ran it: that of a comment in the statement, else of application_name. With a connection it also sends what pg_stat_statements counts.

--check says for a connection what is missing, with the statements that mend it: piped into psql they do.
BITVILLE_URL, BITVILLE_PROJECT and BITVILLE_API_KEY say where to and with which key. infra/postgres-agent.md has all settings. A flag wins
over its variable.`
}

// wanted is what the server is held against.
func (c postgresCommand) wanted(cfg config.Postgres) pgserver.Wanted {
	return pgserver.Wanted{
		Format: cfg.LogFileFormat, Prefix: cfg.LogLinePrefix, OverSQL: cfg.LogFiles == "sql", Statements: c.StatementsInterval > 0, AppRole: c.AppRole,
	}
}

// Run runs the command.
func (c postgresCommand) Run(p program) error {
	if c.DSN != "" {
		p.environ = append(p.environ, "BITVILLE_POSTGRES_DSN_FILE=") // the flag wins over it too
	}
	vars := environ(p, c)
	p.environ = vars
	if c.PrintConfig {
		cfg, _, _ := config.LoadPostgres(vars) // what is wrong in them is told when it matters
		if _, err := io.WriteString(p.stdout, pgserver.Config(c.wanted(cfg))); err != nil {
			return fmt.Errorf("print the settings: %w", err)
		}
		return nil
	}
	cfg, log, wrong := load(config.LoadPostgres, p)
	keys := func() (config.Agent, error) {
		cfg, _, err := config.LoadPostgres(vars)
		return cfg.Agent, err
	}
	counts := agent.NewMetrics(versionText())
	shipCfg := shipConfig(cfg.Agent, log, counts, keys)
	shipCfg.Stream = ship.Stream{Agent: "postgres", Project: cfg.Project}
	if c.Check {
		return c.check(p, cfg, shipCfg, wrong)
	}
	if err := asOne(wrong, c.inspect(cfg)); err != nil {
		return err
	}
	return c.run(p.ctx, cfg, log, counts, shipCfg)
}

// inspect tells what would keep the agent from starting.
func (c postgresCommand) inspect(cfg config.Postgres) []error {
	problems := inspectAgent(cfg.Agent)
	if cfg.LogFiles == "" {
		problems = append(problems, errors.New("BITVILLE_POSTGRES_LOG (--log) is not set: name the folder of the server's log, a glob, - for standard input, or sql"))
	}
	if _, err := pglog.New("stderr", cfg.LogLinePrefix); err != nil {
		problems = append(problems, err)
	}
	if c.StatementsInterval < 0 {
		problems = append(problems, fmt.Errorf("--statements-interval is %s: set a Go duration such as 1m, or 0", c.StatementsInterval))
	}
	if cfg.DSN != "" || cfg.LogFiles == "sql" {
		if _, err := pgserver.New(string(cfg.DSN)); err != nil {
			problems = append(problems, err)
		}
	}
	return problems
}

// check tells what the server lacks. A service's settings are looked at where there are any: a server can be prepared
// before they are.
func (c postgresCommand) check(p program, cfg config.Postgres, shipCfg ship.Config, wrong *problemList) error {
	db, err := pgserver.New(string(cfg.DSN))
	if err != nil {
		return err
	}
	defer db.Close()
	found, err := pgserver.Check(p.ctx, db, c.wanted(cfg))
	if err != nil {
		return err
	}
	var all []missing
	for _, m := range found {
		all = append(all, missing{m.What, m.SQL})
	}
	var problems []error
	if cfg.LogFiles != "" && cfg.LogFiles != "-" && cfg.LogFiles != "sql" {
		problems = append(problems, tail.CanRead(p.ctx, cfg.LogFiles, cfg.LogFileFormat)...)
	}
	if cfg.URL != "" || cfg.StateDir != "" {
		problems = append(problems, inspectAgent(cfg.Agent)...)
		if wrong != nil {
			problems = append(problems, wrong.problems...)
		} else {
			problems = append(problems, ship.Check(p.ctx, shipCfg, "postgres")...)
		}
	}
	for _, err := range problems {
		all = append(all, missing{what: err.Error()})
	}
	return printMissing(p, all)
}

// run sends what the log tells until ctx ends, or until a stream has ended and all was sent.
func (c postgresCommand) run(ctx context.Context, cfg config.Postgres, log *slog.Logger, counts *agent.Metrics, shipCfg ship.Config) (err error) {
	shipper, err := ship.Open(shipCfg)
	if err != nil {
		return fmt.Errorf("open the spool (BITVILLE_STATE_DIR): %w", err)
	}
	defer func() { err = errors.Join(err, shipper.Close()) }()
	ctx, cancel := context.WithCancel(ctx)
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel()
	source, err := c.source(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer source.Close()
	stopMetrics, err := serveMetrics(cfg.MetricsAddr, log, counts.Handler(shipper, source.Behind, log))
	if err != nil {
		return err
	}
	defer stopMetrics()
	systemd := notifier{log: log}
	run := pgagent.Config{
		Project: cfg.Project, Own: pgserver.Name, Redact: cfg.Redact == "literals", Source: source, Put: shipper.Put, Read: counts.Read, Log: log, Now: now,
		Ready: func() {
			log.Info("ready", "log", cfg.LogFiles, "state_dir", cfg.StateDir, "url", cfg.URL, "version", versionText())
			systemd.ready("reading " + cfg.LogFiles)
		},
	}
	if cfg.DSN != "" && c.StatementsInterval > 0 {
		db, err := pgserver.New(string(cfg.DSN))
		if err != nil {
			return err
		}
		defer db.Close()
		snapshots := &pgserver.Snapshots{
			DB: db, Project: cfg.Project, Redact: run.Redact, Interval: c.StatementsInterval, Put: shipper.Put, Read: counts.Read, Log: log, Now: now,
		}
		run.Normalised = snapshots.Normalised
		background.Go(func() { snapshots.Run(ctx) })
	}
	background.Go(func() { systemd.feedWatchdog(ctx, func() bool { return shipper.Bytes() >= 0 }) }) // one that hangs does not return
	defer runShipper(shipper)()
	defer cancel() // before the shipper stops, so that nothing is put any more
	if err := pgagent.Run(ctx, run); err != nil {
		return err
	}
	if ctx.Err() == nil { // the stream has ended
		return ignoreEnd(shipper.Drain(ctx))
	}
	log.Info("stopping")
	systemd.stopping()
	return nil
}

// ignoreEnd makes nil of the end of a context: what is not sent yet is on disk.
func ignoreEnd(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// logSource is a log that is read.
type logSource interface {
	pgagent.Source
	Behind() int64 // bytes
	Close()
}

// source opens the log.
func (c postgresCommand) source(ctx context.Context, cfg config.Postgres, log *slog.Logger) (logSource, error) {
	if cfg.LogFiles == "-" {
		return tail.NewStream(ctx, os.Stdin, func(beginning []byte) (pglog.Format, error) {
			if cfg.LogFileFormat != "auto" {
				return pglog.New(cfg.LogFileFormat, cfg.LogLinePrefix)
			}
			return pglog.New(pglog.Guess(beginning), cfg.LogLinePrefix)
		}, now), nil
	}
	follow := tail.Config{
		Open: tail.OpenLocal(cfg.LogFiles, cfg.LogFileFormat), Prefix: cfg.LogLinePrefix, Path: filepath.Join(cfg.StateDir, "positions.json"),
		FromStart: c.From == "start", Wait: 200 * time.Millisecond, Log: log, Now: now,
	}
	if cfg.LogFiles == "sql" {
		db, err := pgserver.New(string(cfg.DSN))
		if err != nil {
			return nil, err
		}
		follow.Open, follow.Wait = pgserver.OpenLog(db, cfg.LogFileFormat), time.Second
	}
	return tail.Follow(follow)
}
