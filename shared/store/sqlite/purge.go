package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/bitville/listener/shared/store"
)

const (
	chunkTime    = 50 * time.Millisecond // what one chunk of a purge may keep the writer from its inserts
	chunkPause   = 3 * lockPoll          // between two chunks: a chance for another process's writer
	firstRows    = 256
	maxRows      = 16384
	vacuumPages  = 512
	lockAttempts = 75 // a busy listener leaves a purge by hand few gaps; each attempt takes lockTimeout
)

// Purge deletes the records whose timestamp is before the given time, and gives the space back. It works
// in chunks between the inserts, each short enough not to be felt. It stops between two when ctx ends, and
// says so in the report's Unfinished; the report tells what was done, with an error too.
func (db *DB) Purge(ctx context.Context, before time.Time) (report store.PurgeReport, err error) {
	defer func() {
		if err != nil && ctx.Err() != nil {
			report.Unfinished, err = true, nil
		}
	}()
	sources, err := db.sources(ctx)
	if err != nil {
		return report, fmt.Errorf("list sources: %w", err)
	}
	for _, source := range sources {
		rows, err := db.deleteAll(ctx, deleteOldSQL, before.UnixMicro(), source)
		report.Rows += rows
		if err != nil {
			return report, fmt.Errorf("delete old records: %w", err)
		}
	}
	// Only now, for what is in the tables no more could be stored again.
	for _, look := range []string{deleteSeenSQL, deleteCorrelationSQL} {
		if _, err := db.deleteAll(ctx, look, before.UnixMicro()); err != nil {
			return report, fmt.Errorf("delete look-ups of old records: %w", err)
		}
	}
	if err := db.vacuum(ctx, &report); err != nil {
		return report, fmt.Errorf("give space back: %w", err)
	}
	report.Oldest, err = db.oldest(ctx, sources)
	return report, err
}

// What a purge deletes, a chunk at a time: ?1 is the first time to keep and ?2 how many rows to delete.
const (
	deleteOldSQL = `DELETE FROM profiling_data WHERE id IN
		(SELECT id FROM profiling_data WHERE source = ?3 AND timestamp < ?1 ORDER BY timestamp LIMIT ?2)`
	deleteSeenSQL = `DELETE FROM profiling_data_seen WHERE (timestamp, digest) IN
		(SELECT timestamp, digest FROM profiling_data_seen WHERE timestamp < ?1 ORDER BY timestamp, digest LIMIT ?2)`
	// Whole parts, when no record of theirs is left; entries of single records that are gone lead nowhere until then.
	deleteCorrelationSQL = `DELETE FROM profiling_data_lookup WHERE (part, digits, id) IN
		(SELECT part, digits, id FROM profiling_data_lookup
			WHERE part < coalesce((SELECT min(id) FROM profiling_data), 1 << 62) >> 16 ORDER BY part, digits, id LIMIT ?2)`
)

// deleteAll runs one of the statements until there is nothing left to delete.
func (db *DB) deleteAll(ctx context.Context, statement string, before int64, args ...any) (rows int, err error) {
	limit := firstRows
	for {
		var deleted int
		var took time.Duration
		err := db.chunk(ctx, func(ctx context.Context, conn *sql.Conn) error {
			start := time.Now()
			res, err := conn.ExecContext(ctx, statement, append([]any{before, limit}, args...)...)
			if err != nil {
				return err
			}
			db.lookups.forget()
			n, err := res.RowsAffected()
			deleted, took = int(n), time.Since(start)
			return err
		})
		rows += deleted
		if err != nil || deleted < limit {
			return rows, err
		}
		switch {
		case took > chunkTime:
			limit = max(limit/2, 1)
		case took < chunkTime/3:
			limit = min(limit*2, maxRows)
		}
	}
}

// vacuum moves pages from the end of the file into the holes that a purge left, and cuts the file.
func (db *DB) vacuum(ctx context.Context, report *store.PurgeReport) error {
	for {
		var given, pageSize, free int
		err := db.chunk(ctx, func(ctx context.Context, conn *sql.Conn) error {
			before, err := pragmaInt(ctx, conn, "page_count")
			if err != nil {
				return err
			}
			// Each step gives one page back: the statement must be stepped to its last row.
			rows, err := conn.QueryContext(ctx, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumPages))
			if err != nil {
				return err
			}
			for rows.Next() {
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil {
				return err
			}
			after, err := pragmaInt(ctx, conn, "page_count")
			if err != nil {
				return err
			}
			given = before - after
			if pageSize, err = pragmaInt(ctx, conn, "page_size"); err != nil {
				return err
			}
			free, err = pragmaInt(ctx, conn, "freelist_count")
			return err
		})
		if err != nil {
			return err
		}
		report.Pages += given
		report.Bytes += int64(given) * int64(pageSize)
		if free == 0 || given == 0 {
			return nil
		}
	}
}

// chunk runs one step of a purge on the writing connection, again while another process has the lock. A step
// that has begun is not stopped when ctx ends: what it did could not be told then.
func (db *DB) chunk(ctx context.Context, step func(context.Context, *sql.Conn) error) error {
	for attempt := 1; ; attempt++ {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(chunkPause):
		}
		err := db.do(ctx, func(conn *sql.Conn) error {
			return whileLocked(func() error { return step(context.WithoutCancel(ctx), conn) })
		})
		if err == nil {
			return nil
		}
		if !isLocked(err) || attempt == lockAttempts {
			return explain(err)
		}
	}
}

func pragmaInt(ctx context.Context, conn *sql.Conn, name string) (n int, err error) {
	err = conn.QueryRowContext(ctx, "PRAGMA "+name).Scan(&n)
	return n, err
}
