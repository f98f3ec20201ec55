package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"syscall"

	"github.com/bitville/listener/localdev/agent"
	"github.com/bitville/listener/localdev/agent/ship"
	"github.com/bitville/listener/shared/access"
	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/config"
)

// agentCommand are the agents.
type agentCommand struct {
	Relay    relayCommand    `cmd:"" help:"Take the records of the PHP agents on this host, and send them to a listener."`
	Postgres postgresCommand `cmd:"" help:"Read PostgreSQL's log, and send what it tells of statements to a listener."`
}

// agentFlags are those of every agent. A flag with the tag "sets" says the same as the variable that the tag names, and wins.
type agentFlags struct {
	StateDir      string `sets:"BITVILLE_STATE_DIR" placeholder:"DIR" help:"Folder that keeps what is not sent yet (spool) and what was refused (rejected)."`
	SpoolMaxBytes string `sets:"BITVILLE_SPOOL_MAX_BYTES" placeholder:"268435456" help:"The most bytes that is kept; then the oldest goes."`
	FlushInterval string `sets:"BITVILLE_FLUSH_INTERVAL" placeholder:"1s" help:"How long records wait for others."`
	Check         bool   `help:"Tell what is missing, send nothing, and end."`
}

// environ adds what the flags of a command set to the variables: the last of a name is taken.
func environ(p program, command any) []string {
	vars := slices.Clone(p.environ)
	value := reflect.ValueOf(command)
	for _, field := range reflect.VisibleFields(value.Type()) {
		if name, set := field.Tag.Get("sets"), value.FieldByIndex(field.Index); name != "" && set.String() != "" {
			vars = append(vars, name+"="+set.String())
		}
	}
	return vars
}

// shipConfig is what an agent's settings say of its Shipper. keys reads the keys again: one that comes from a file may be mended
// while the agent runs.
func shipConfig(cfg config.Agent, log *slog.Logger, counts *agent.Metrics, keys func() (config.Agent, error)) ship.Config {
	return ship.Config{
		Dir:           cfg.StateDir,
		URL:           cfg.URL,
		CAPath:        cfg.CAPath,
		MaxBytes:      cfg.SpoolMaxBytes,
		FlushInterval: cfg.FlushInterval,
		Version:       versionText(),
		Log:           log,
		Now:           now,
		Counts:        counts.Counts(),
		Keys: func() ([]auth.Key, error) {
			cfg, err := keys()
			return cfg.Keys, err
		},
	}
}

// inspectAgent tells what would keep an agent from starting. What is empty in the settings it passes over, for that has been told.
func inspectAgent(cfg config.Agent) (problems []error) {
	if cfg.StateDir != "" {
		dir := cfg.StateDir
		if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
			dir = filepath.Dir(filepath.Clean(dir)) // it is made there
		}
		if err := access.MakeIn(dir); err != nil {
			problems = append(problems, fmt.Errorf("use the folder %s (BITVILLE_STATE_DIR): %w", cfg.StateDir, err))
		}
	}
	if cfg.CAPath != "" {
		if err := ship.CheckCA(cfg.CAPath); err != nil {
			problems = append(problems, err)
		}
	}
	return append(problems, canListen(cfg, "tcp", cfg.MetricsAddr, "BITVILLE_METRICS_ADDR")...)
}

// canListen tells why an address cannot be listened on, which may be empty. An agent that runs with the same folder has the
// address: --check may be asked beside it, and a second one is told of the folder.
func canListen(cfg config.Agent, network, address, setting string) []error {
	if address == "" {
		return nil
	}
	tried, err := listenOn(network, address)
	switch {
	case err == nil:
		_ = tried.Close()
		return nil
	case errors.Is(err, syscall.EADDRINUSE) && ship.InUse(cfg.StateDir):
		return nil
	}
	return []error{cannotListen(address, setting, err)}
}

// asOne makes one error of all problems; nil when there is none.
func asOne(settings *problemList, problems []error) error {
	switch {
	case settings != nil:
		return problemList{"the settings are not right", append(settings.problems, problems...)}
	case len(problems) > 1:
		return problemList{"the agent cannot start", problems}
	case len(problems) == 1:
		return problems[0]
	}
	return nil
}

// runShipper sends what is in the spool, in the background, until the returned function is called: that returns within some
// seconds, with what can be sent at once sent.
func runShipper(s *ship.Shipper) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = s.Run(ctx) // never an error
	}()
	return func() {
		cancel()
		<-ended
	}
}

// missing is what --check finds: a line that says what, and below it what mends it.
type missing struct {
	what   string
	remedy []string // commands, or statements
}

// printMissing prints what --check has found. The error says that something is missing.
func printMissing(p program, all []missing) error {
	var text strings.Builder
	for _, m := range all {
		fmt.Fprintf(&text, "missing: %s\n", oneLine(m.what))
		for _, line := range m.remedy {
			fmt.Fprintf(&text, "    %s\n", line)
		}
	}
	if len(all) == 0 {
		text.WriteString("all is right\n")
	}
	if _, err := p.stdout.Write([]byte(text.String())); err != nil {
		return fmt.Errorf("print what is missing: %w", err)
	}
	if len(all) > 0 {
		return errors.New("something is missing")
	}
	return nil
}
