package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/bitville/listener/shared/access"
	"github.com/bitville/listener/shared/rollup"
	"github.com/bitville/listener/shared/store"
)

// maxReaders bounds the connections that read at one time.
const maxReaders = 4

// Reader reads a database that a listener may be writing. It has connections of its own and never waits for the writer.
//
// It is a view.Store.
type Reader struct {
	pool    *sql.DB
	packer  *packer
	rollups *rollups // of the process that keeps them, else nil
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
	pool := openPool(path, "ro", "", maxReaders, "query_only(1)")
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
	return &Reader{pool: pool, packer: packer}, nil
}

// Close closes the reading connections.
func (r *Reader) Close() error { return r.pool.Close() }

// ByCorrelationID returns what is stored under one correlation id, a lower-case UUID with dashes: the PHP
// request and the statements that it ran, in the order of their timestamps.
func (r *Reader) ByCorrelationID(ctx context.Context, id string) (entries []store.Entry, err error) {
	err = query(ctx, r.pool, func(rows *sql.Rows) error {
		var e store.Entry
		var micros, created int64
		var payload any
		err := scan(rows, &e.CorrelationID, &e.Project, &e.Source, &micros, &e.DurationMS, &e.Name, &e.Attributes, &payload, &created)
		if err != nil {
			return err
		}
		if e.Payload, err = r.packer.unpack(payload); err != nil {
			return fmt.Errorf("read a record of %s: %w", id, err)
		}
		e.Timestamp, e.CreatedAt = time.UnixMicro(micros), time.UnixMicro(created)
		entries = append(entries, e)
		return nil
	}, byCorrelationID, id)
	return entries, err
}

// sources returns the sources that have records, and the earliest timestamp of all, zero when there are none.
func (r *Reader) sources(ctx context.Context) (found []string, oldest time.Time, err error) {
	err = query(ctx, r.pool, func(rows *sql.Rows) error {
		var source string
		var micros int64
		if err := scan(rows, &source, &micros); err != nil {
			return err
		}
		if t := time.UnixMicro(micros); oldest.IsZero() || t.Before(oldest) {
			oldest = t
		}
		found = append(found, source)
		return nil
	}, sourcesAndOldest)
	return found, oldest, err
}

// series returns the projects and sources that have rollups.
func (r *Reader) series(ctx context.Context) (found []rollup.Series, err error) {
	err = query(ctx, r.pool, func(rows *sql.Rows) error {
		var s rollup.Series
		err := scan(rows, &s.Project, &s.Source)
		found = append(found, s)
		return err
	}, rollupSeries)
	return found, err
}

// any tells whether there are records of the sources from one time to before another.
func (r *Reader) any(ctx context.Context, sources []string, from, before time.Time) (found bool, err error) {
	for _, source := range sources {
		err := r.pool.QueryRowContext(ctx, anyBetween, source, from.UnixMicro(), before.UnixMicro()).Scan(&found)
		if found || err != nil {
			return found, explain(err)
		}
	}
	return false, nil
}

// errEnough ends a query without an error.
var errEnough = errors.New("enough")

// query calls each for every row, until it returns an error.
func query(ctx context.Context, from querier, each func(*sql.Rows) error, statement string, args ...any) error {
	rows, err := from.QueryContext(ctx, statement, args...)
	if err != nil {
		return explain(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := each(rows); errors.Is(err, errEnough) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return explain(rows.Err())
}

// scan reads the columns of a row.
func scan(rows *sql.Rows, into ...any) error { return explain(rows.Scan(into...)) }
