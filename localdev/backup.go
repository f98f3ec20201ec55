package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bitville/listener/shared/config"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/sqlite"
)

type backupCommand struct {
	File string `arg:"" help:"The new file."`
}

// Help is what listener backup -help says more.
func (backupCommand) Help() string { return "It is safe while a listener runs." }

// Run runs the command.
func (c backupCommand) Run(p program) error {
	cfg, log, problems := load(config.LoadCommand, p)
	if problems != nil {
		return *problems
	}
	return backup(p.ctx, cfg, log, c.File)
}

// backup copies the database into a new file and reports it in one log line, as a purge is.
func backup(ctx context.Context, cfg config.Config, log *slog.Logger, file string) error {
	if cfg.DBPath == "" {
		return errors.New("backup copies a database file (BITVILLE_DB_PATH); a server has backups of its own")
	}
	started := time.Now()
	report, err := sqlite.Backup(ctx, cfg.DBPath, file)
	if err != nil {
		if ctx.Err() != nil {
			err = errors.New("it was interrupted, and nothing of it is left")
		} else if u, ok := errors.AsType[*store.Unavailable](err); ok {
			err = errors.New(u.Reason) // without the driver's words
		}
		return fmt.Errorf("back up %s to %q: %w", cfg.DBPath, file, err)
	}
	log.Info("backup", "file", file, "rows", report.Rows, "bytes", report.Bytes, "duration_ms", time.Since(started).Milliseconds())
	return nil
}
