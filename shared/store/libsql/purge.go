package libsql

import (
	"context"
	"fmt"
	"time"

	"github.com/bitville/listener/shared/store"
)

const (
	purgeRows = 2000 // of one statement: its answer has a row for each, and must stay far below what servers send
	// No chunk is begun when less than this is left of the context's time, because a function that is stopped in the middle
	// reports nothing.
	purgeMargin = callTimeout + time.Second
)

// Purge deletes the records whose timestamp is before the given time, in chunks. It stops before the context's time is up and
// sets the report's Unfinished; the next purge goes on. The server keeps the freed space for new records: no statement
// makes it give the space back.
func (db *DB) Purge(ctx context.Context, before time.Time) (report store.PurgeReport, err error) {
	if err := db.ensureSchema(ctx); err != nil {
		u, _ := db.explain(ctx, err)
		return report, fmt.Errorf("make the schema: %w", u)
	}
	sources, err := db.sources(ctx)
	if err != nil {
		return report, fmt.Errorf("list sources: %w", err)
	}
	for _, source := range sources {
		for {
			if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < purgeMargin || ctx.Err() != nil {
				report.Unfinished = true
				return report, nil
			}
			n, err := db.write(ctx, `DELETE FROM profiling_data WHERE id IN (SELECT id FROM profiling_data
				WHERE source = ?1 AND timestamp < ?2 ORDER BY timestamp LIMIT ?3) RETURNING 1`, source, before.UnixMicro(), purgeRows)
			report.Rows += n
			if err != nil {
				return report, fmt.Errorf("delete old records: %w", err)
			}
			if n < purgeRows {
				break
			}
		}
	}
	if _, err := db.write(ctx, "DELETE FROM profiling_data_refused WHERE hour < ?1 RETURNING 1", before.Add(-time.Hour).Unix()); err != nil {
		return report, fmt.Errorf("delete old refusals: %w", err)
	}
	for _, source := range sources {
		oldest, err := scalar[int64](ctx, db, "SELECT min(timestamp) FROM profiling_data WHERE source = ?1", source)
		if err != nil {
			return report, fmt.Errorf("find the oldest record: %w", err)
		}
		if t := time.UnixMicro(oldest.V); oldest.Valid && (report.Oldest.IsZero() || t.Before(report.Oldest)) {
			report.Oldest = t
		}
	}
	return report, nil
}

// sources lists the sources that have records. It reads one index entry for each.
func (db *DB) sources(ctx context.Context) (found []string, err error) {
	last := ""
	for {
		next, err := scalar[string](ctx, db, "SELECT min(source) FROM profiling_data WHERE source > ?1", last)
		if err != nil || !next.Valid {
			return found, err
		}
		found = append(found, next.V)
		last = next.V
	}
}
