// Package retention deletes the records that are older than they are kept.
package retention

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/bitville/listener/shared/store"
)

// Store is what is purged.
type Store interface {
	// Purge deletes the records whose timestamp is before the given time.
	Purge(ctx context.Context, before time.Time) (store.PurgeReport, error)
}

// Config is what a purge needs.
type Config struct {
	Store     Store
	Log       *slog.Logger
	Now       func() time.Time
	Retention time.Duration // how long a record is kept, by its timestamp
}

// Run purges once and reports what it did in one log line. Called at start and every hour it keeps the
// promise that no record is older than the retention plus an hour.
func Run(ctx context.Context, cfg Config) (store.PurgeReport, error) {
	started := cfg.Now()
	report, err := cfg.Store.Purge(ctx, started.Add(-cfg.Retention))
	attrs := []slog.Attr{
		slog.Int("rows_deleted", report.Rows),
		slog.Int("pages_given_back", report.Pages),
		slog.Int64("bytes_given_back", report.Bytes),
		slog.Float64("duration_ms", float64(cfg.Now().Sub(started).Microseconds())/1000),
	}
	if report.Longest > 0 {
		attrs = append(attrs, slog.Float64("longest_step_ms", float64(report.Longest.Microseconds())/1000))
	}
	if report.Unfinished {
		attrs = append(attrs, slog.Bool("unfinished", true))
	}
	if !report.Oldest.IsZero() {
		attrs = append(attrs, slog.Time("oldest_record", report.Oldest.UTC()))
	}
	if err != nil {
		cfg.Log.LogAttrs(ctx, slog.LevelError, "purge failed", append(attrs, slog.String("error", err.Error()))...)
		return report, fmt.Errorf("purge: %w", err)
	}
	cfg.Log.LogAttrs(ctx, slog.LevelInfo, "purge", attrs...)
	return report, nil
}
