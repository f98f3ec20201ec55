package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/bitville/listener/shared/access"
	"github.com/bitville/listener/shared/store"
)

// maxReaders bounds the connections that read at one time.
const maxReaders = 4

// Reader reads a database that a listener may be writing.
type Reader struct {
	pool   *sql.DB
	packer *packer
}

// OpenReader opens an existing database for reading alone.
func OpenReader(ctx context.Context, path string) (*Reader, error) {
	path, err := access.Resolve(path)
	if err != nil {
		return nil, err
	}
	if err := access.Read(path); err != nil {
		return nil, err
	}
	pool := openPool(path, "ro", maxReaders, "query_only(1)")
	var queryOnly int
	if err := pool.QueryRowContext(ctx, "PRAGMA query_only").Scan(&queryOnly); err != nil {
		_ = pool.Close()
		return nil, refusal(path, explain(err))
	}
	if queryOnly != 1 {
		_ = pool.Close()
		return nil, fmt.Errorf("PRAGMA query_only is %d and cannot be set to 1", queryOnly)
	}
	packer, err := newPacker()
	if err != nil {
		_ = pool.Close()
		return nil, fmt.Errorf("make what compresses payloads: %w", err)
	}
	return &Reader{pool, packer}, nil
}

// Close closes the reading connections.
func (r *Reader) Close() error { return r.pool.Close() }

const byCorrelationID = `SELECT correlation_id, project, source, timestamp, duration_ms, name, coalesce(attributes, ''), payload
	FROM profiling_data WHERE correlation_id = ?1
		AND id IN (SELECT id FROM profiling_data_by_digits WHERE digits = substr(?1, 5, 4) || substr(?1, -4))
	ORDER BY timestamp, id`

// ByCorrelationID returns what is stored under one correlation id, a lower-case UUID with dashes: the PHP
// request and the statements that it ran, in the order of their timestamps.
func (r *Reader) ByCorrelationID(ctx context.Context, id string) ([]store.Entry, error) {
	rows, err := r.pool.QueryContext(ctx, byCorrelationID, id)
	if err != nil {
		return nil, explain(err)
	}
	defer rows.Close()
	var entries []store.Entry
	for rows.Next() {
		var e store.Entry
		var micros int64
		var payload any
		if err := rows.Scan(&e.CorrelationID, &e.Project, &e.Source, &micros, &e.DurationMS, &e.Name, &e.Attributes, &payload); err != nil {
			return nil, explain(err)
		}
		if e.Payload, err = r.packer.unpack(payload); err != nil {
			return nil, fmt.Errorf("read a record of %s: %w", id, err)
		}
		e.Timestamp = time.UnixMicro(micros)
		entries = append(entries, e)
	}
	if err := rows.Err(); err != nil {
		return nil, explain(err)
	}
	return entries, nil
}

// sources lists the sources that have records, from one index entry each.
func (r *Reader) sources(ctx context.Context) (found []string, err error) {
	last := ""
	for {
		var next sql.NullString
		err := r.pool.QueryRowContext(ctx, "SELECT min(source) FROM profiling_data WHERE source > ?", last).Scan(&next)
		if err != nil {
			return nil, explain(err)
		}
		if !next.Valid {
			return found, nil
		}
		found = append(found, next.String)
		last = next.String
	}
}

// oldest returns the earliest timestamp of all sources, zero when there are no records.
func (r *Reader) oldest(ctx context.Context, sources []string) (time.Time, error) {
	var oldest time.Time
	for _, source := range sources {
		var micros sql.NullInt64
		err := r.pool.QueryRowContext(ctx, "SELECT min(timestamp) FROM profiling_data WHERE source = ?", source).Scan(&micros)
		if err != nil {
			return time.Time{}, explain(err)
		}
		if t := time.UnixMicro(micros.Int64); micros.Valid && (oldest.IsZero() || t.Before(oldest)) {
			oldest = t
		}
	}
	return oldest, nil
}
