package libsql

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/bitville/listener/shared/store"
)

// ByCorrelationID returns what is stored under one correlation id, a lower-case UUID with dashes: the PHP
// request and the statements that it ran, in the order of their timestamps.
func (db *DB) ByCorrelationID(ctx context.Context, id string) (entries []store.Entry, err error) {
	err = db.read(ctx, func(rows *sql.Rows) error {
		var e store.Entry
		var micros int64
		err := rows.Scan(&e.CorrelationID, &e.Project, &e.Source, &micros, &e.DurationMS, &e.Name, &e.Attributes, &e.Payload)
		e.Timestamp = time.UnixMicro(micros)
		entries = append(entries, e)
		return err
	}, `SELECT correlation_id, project, source, timestamp, duration_ms, name, coalesce(attributes, ''), payload
		FROM profiling_data WHERE correlation_id = ?1 ORDER BY timestamp, id`, id)
	return entries, err
}

// scalar reads one value, which may be NULL.
func scalar[T any](ctx context.Context, db *DB, query string, args ...any) (value sql.Null[T], err error) {
	err = db.read(ctx, func(rows *sql.Rows) error { return rows.Scan(&value) }, query, args...)
	return value, err
}

// read runs a query and calls scan for each row. Its error is a *store.Unavailable. The driver panics on
// answers that it does not expect.
func (db *DB) read(ctx context.Context, scan func(*sql.Rows) error, query string, args ...any) (err error) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("driver panic: %v", p)
		}
		if err != nil {
			err, _ = explain(ctx, err)
		}
	}()
	rows, err := db.pool.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
