package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bitville/listener/shared/config"
	"github.com/bitville/listener/shared/store/sqlite"
)

// backup copies the database into a new file and reports it in one log line, as a purge is.
func backup(ctx context.Context, cfg config.Config, log *slog.Logger, file string) error {
	if cfg.DBPath == "" {
		return errors.New("backup copies a database file (BITVILLE_DB_PATH); a server has backups of its own")
	}
	started := time.Now()
	report, err := sqlite.Backup(ctx, cfg.DBPath, file)
	if err != nil {
		return fmt.Errorf("back up %s to %s: %w", cfg.DBPath, file, err)
	}
	log.Info("backup", "file", file, "rows", report.Rows, "bytes", report.Bytes, "duration_ms", time.Since(started).Milliseconds())
	return nil
}
