package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/bitville/listener/functions/retention"
	"github.com/bitville/listener/shared/config"
	"github.com/bitville/listener/shared/store/sqlite"
)

type purgeCommand struct {
	Force bool `help:"Believe the clock, also when it has moved by more than a day since the last purge."`
}

// Help is what listener purge -help says more.
func (purgeCommand) Help() string { return "It is safe while a listener runs." }

// Run runs the command.
func (c purgeCommand) Run(p program) error {
	cfg, log, problems := load(config.LoadCommand, p)
	if problems != nil {
		return *problems
	}
	return purge(p.ctx, cfg, log, c.Force)
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
