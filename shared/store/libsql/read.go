package libsql

import (
	"context"
	"database/sql"
	"time"

	"github.com/bitville/listener/shared/store"
)

// ByCorrelationID returns what is stored under one correlation id, a lower-case UUID with dashes: the PHP
// request and the statements that it ran, in the order of their timestamps.
func (db *DB) ByCorrelationID(ctx context.Context, id string) (entries []store.Entry, err error) {
	err = db.read(ctx, func(rows *sql.Rows) error {
		var e store.Entry
		var micros, created int64
		err := rows.Scan(&e.CorrelationID, &e.Project, &e.Source, &micros, &e.DurationMS, &e.Name, &e.Attributes, &e.Payload, &created)
		e.Timestamp, e.CreatedAt = time.UnixMicro(micros), time.UnixMicro(created)
		entries = append(entries, e)
		return err
	}, `SELECT correlation_id, project, source, timestamp, duration_ms, name, coalesce(attributes, ''), payload, created_at
		FROM profiling_data WHERE correlation_id = ?1 ORDER BY timestamp, id`, id)
	return entries, err
}

// Reach tells whether the server answers, accepts the token and would take a record. It runs the statement that stores records,
// with none, and makes nothing: a missing table is no error. An error is a *store.Unavailable that says why not.
func (db *DB) Reach(ctx context.Context) error {
	if _, err := db.try(ctx, insertBatch, "[]", db.now().UnixMicro()); err != nil && !missingTable(err) {
		unavailable, _ := db.explain(ctx, err)
		return unavailable
	}
	return nil
}

// scalar reads one value, which may be NULL.
func scalar[T any](ctx context.Context, db *DB, query string, args ...any) (value sql.Null[T], err error) {
	err = db.read(ctx, func(rows *sql.Rows) error { return rows.Scan(&value) }, query, args...)
	return value, err
}

// read is query for readers: its error is a *store.Unavailable.
func (db *DB) read(ctx context.Context, scan func(*sql.Rows) error, query string, args ...any) error {
	if err := db.query(ctx, scan, query, args...); err != nil {
		unavailable, _ := db.explain(ctx, err)
		return unavailable
	}
	return nil
}
