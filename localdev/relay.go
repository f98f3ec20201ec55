package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/bitville/listener/localdev/agent"
	"github.com/bitville/listener/localdev/agent/relay"
	"github.com/bitville/listener/localdev/agent/ship"
	"github.com/bitville/listener/shared/access"
	"github.com/bitville/listener/shared/config"
)

type relayCommand struct {
	agentFlags
	Listen string `sets:"BITVILLE_RELAY_ADDR" placeholder:"127.0.0.1:8444" help:"Where datagrams are taken."`
	Spool  string `sets:"BITVILLE_SPOOL_DIR" placeholder:"DIR" help:"Folder into which PHP agents write files; none when it is left out."`
}

// Help is what listener agent relay -help says more.
func (relayCommand) Help() string {
	return `It takes datagrams (the PHP agent's BITVILLE_URL is udp://127.0.0.1:8444) and files (file:///folder), keeps the records on disk until the
listener has acknowledged them, and sends them in batches over HTTPS.

BITVILLE_URL, BITVILLE_PROJECT and BITVILLE_API_KEY say where to and with which key; BITVILLE_API_KEY_<PROJECT> and
BITVILLE_API_KEYS are for several projects. infra/relay.md has all settings. A flag wins over its variable.`
}

// Run runs the command.
func (c relayCommand) Run(p program) error {
	vars := environ(p, c)
	p.environ = vars
	cfg, log, wrong := load(config.LoadRelay, p)
	problems := inspectAgent(cfg.Agent)
	problems = append(problems, canListen(cfg.Agent, "udp", cfg.Addr, "BITVILLE_RELAY_ADDR")...)
	if cfg.SpoolDir != "" {
		if err := access.MakeIn(cfg.SpoolDir); err != nil {
			problems = append(problems, fmt.Errorf("use the folder %s (BITVILLE_SPOOL_DIR): %w", cfg.SpoolDir, err))
		}
	}
	keys := func() (config.Agent, error) {
		cfg, _, err := config.LoadRelay(vars)
		return cfg.Agent, err
	}
	counts := agent.NewMetrics(versionText(), relay.Reasons()...)
	shipCfg := shipConfig(cfg.Agent, log, counts, keys)
	shipCfg.DropOldest = true
	if c.Check {
		return checkRelay(p, cfg, shipCfg, wrong, problems)
	}
	if err := asOne(wrong, problems); err != nil {
		return err
	}
	return runRelay(p.ctx, cfg, log, counts, shipCfg)
}

// runRelay takes and sends records until ctx ends, then puts what has come on disk, and sends what can be sent at once.
func runRelay(ctx context.Context, cfg config.Relay, log *slog.Logger, counts *agent.Metrics, shipCfg ship.Config) (err error) {
	shipper, err := ship.Open(shipCfg)
	if err != nil {
		return fmt.Errorf("open the spool (BITVILLE_STATE_DIR): %w", err)
	}
	defer func() { err = errors.Join(err, shipper.Close()) }()
	r, err := relay.Listen(relay.Config{
		Addr: cfg.Addr, Keys: cfg.Keys, SpoolDir: cfg.SpoolDir, Every: cfg.FlushInterval,
		Shipper: shipper, Log: log, Now: now, Read: counts.Read,
	})
	if err != nil {
		return cannotListen(cfg.Addr, "BITVILLE_RELAY_ADDR", err)
	}
	stopMetrics, err := serveMetrics(cfg.MetricsAddr, log, counts.Handler(shipper, r.Behind, log))
	if err != nil {
		return err
	}
	defer stopMetrics()
	defer runShipper(shipper)()
	systemd := notifier{log: log}
	watched, unwatch := context.WithCancel(ctx)
	defer unwatch()
	go systemd.feedWatchdog(watched, func() bool { return shipper.Bytes() >= 0 }) // one that hangs does not return
	log.Info("ready", "addr", r.Addr().String(), "spool_dir", cfg.SpoolDir, "state_dir", cfg.StateDir, "url", cfg.URL, "version", versionText())
	systemd.ready("taking datagrams on " + r.Addr().String())
	r.Run(ctx)
	log.Info("stopping")
	systemd.stopping()
	return nil
}

// checkRelay tells what is missing: what would keep the relay from starting, what the PHP agents' folder lacks, and why the
// listener would not take records.
func checkRelay(p program, cfg config.Relay, shipCfg ship.Config, wrong *problemList, problems []error) error {
	var all []missing
	if wrong != nil {
		problems = append(wrong.problems, problems...)
	}
	for _, err := range problems {
		all = append(all, missing{what: err.Error()})
	}
	if cfg.SpoolDir != "" {
		if what := spoolFolderLacks(cfg.SpoolDir); what != "" {
			all = append(all, missing{what, []string{"install -d -o root -g bitville -m 2770 " + quote(cfg.SpoolDir), "usermod -aG bitville www-data"}})
		}
	}
	if wrong == nil && cfg.URL != "" {
		for _, err := range ship.Check(p.ctx, shipCfg, "php") {
			all = append(all, missing{what: err.Error()})
		}
	}
	return printMissing(p, all)
}

// spoolFolderLacks tells what PHP and the relay cannot do together in a folder: PHP's user makes files there by the folder's
// group, and the set-group-ID bit gives them that group, so that the relay can read them.
func spoolFolderLacks(dir string) string {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return fmt.Sprintf("the folder %s (BITVILLE_SPOOL_DIR) cannot be used: %v", dir, err)
	case info.Mode().Perm()&0o002 != 0:
		return fmt.Sprintf("the folder %s (BITVILLE_SPOOL_DIR) can be written by every user, who could send records in your name", dir)
	case info.Mode().Perm()&0o070 != 0o070 || info.Mode()&fs.ModeSetgid == 0:
		return fmt.Sprintf("the folder %s (BITVILLE_SPOOL_DIR) does not let PHP and the relay share files: its mode is %04o and should be 2770, with a group that both are in", dir, modeOf(info))
	}
	return ""
}

func modeOf(info fs.FileInfo) fs.FileMode {
	mode := info.Mode().Perm()
	if info.Mode()&fs.ModeSetgid != 0 {
		mode |= 0o2000
	}
	return mode
}
