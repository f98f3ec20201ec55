package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/rollup"
)

// querier is a pool, a connection or a transaction.
type querier interface {
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}

// maxTail is how many records a read derives itself, where their rollups are not written and not in this process's memory.
const maxTail = 20_000

// snapshot is a read of the rollups as they are at one moment: what the tables have, and what is not written yet.
type snapshot struct {
	*sql.Tx
	behind int64 // about how many records are in neither
}

func (s *snapshot) close() { _ = s.Rollback() }

// snapshot begins a read. copy is called with what is not written yet, and copies what the read needs of it.
//
// In the process that keeps the rollups that is in memory, but while it catches up. For another one, or then, the records
// that the tables lack are derived for this read alone, unless they are too many.
func (r *Reader) snapshot(ctx context.Context, copy func(*rollup.Deltas)) (s *snapshot, err error) {
	tx, err := r.pool.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, explain(err)
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback()
		}
	}()
	marks, live, err := r.pin(ctx, tx, copy)
	if live || err != nil {
		return &snapshot{tx, 0}, err
	}
	var last int64
	if err := tx.QueryRowContext(ctx, lastRecord).Scan(&last); err != nil {
		return nil, explain(err)
	}
	if left := last - marks.Floor; left > maxTail {
		return &snapshot{tx, left}, nil
	}
	d := derivation{marks: marks, at: marks.Floor}
	d.deltas.Start(d.at)
	for n := tailRows; n == tailRows; {
		if n, err = d.read(ctx, tx); err != nil {
			return nil, err
		}
	}
	if d.deltas.Behind() { // they come to more than is held
		return &snapshot{tx, last - marks.Floor}, nil
	}
	copy(&d.deltas)
	return &snapshot{tx, 0}, nil
}

// pin has the transaction see the tables as they are now, and copies what is in memory at the same moment: nothing is
// written between. live is false when this process has nothing in memory.
func (r *Reader) pin(ctx context.Context, tx *sql.Tx, copy func(*rollup.Deltas)) (marks rollup.Marks, live bool, err error) {
	if r.rollups != nil {
		r.rollups.mu.Lock()
		defer r.rollups.mu.Unlock()
	}
	if marks, err = readMarks(ctx, tx); err != nil {
		if !hasRollups(ctx, tx) {
			err = errors.New("the database has no figures yet: start the listener of this version on it once")
		}
		return marks, false, err
	}
	if r.rollups == nil || r.rollups.deltas.Behind() {
		return marks, false, nil
	}
	copy(&r.rollups.deltas)
	return marks, true, nil
}

// hasRollups tells whether a listener that keeps rollups has had the file.
func hasRollups(ctx context.Context, tx *sql.Tx) (has bool) {
	err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'profiling_rollup_mark')").Scan(&has)
	return has || err != nil
}

// derivation derives the records that the marks do not have, in the order of ids.
type derivation struct {
	marks   rollup.Marks
	deltas  rollup.Deltas
	at      int64 // the id of the last record that it has looked at
	records int   // that it has looked at
}

// read derives the next tailRows records.
func (d *derivation) read(ctx context.Context, from querier) (n int, err error) {
	err = query(ctx, from, func(rows *sql.Rows) error {
		id, p, err := scanPoint(rows)
		if err != nil {
			return err
		}
		n++
		d.at = id
		if d.marks.Has(p.Series, id) {
			p = rollup.Point{}
		}
		d.deltas.Add(&p, id)
		return nil
	}, tailOfRecords, d.at, tailRows)
	d.records += n
	return n, err
}

// scanPoint derives what a record comes to from the columns that rollup_tail.sql names.
func scanPoint(rows *sql.Rows) (id int64, p rollup.Point, err error) {
	var r record.Record
	var attributes sql.RawBytes
	if err := scan(rows, &id, &r.Project, &r.Source, &r.Timestamp, &r.DurationMS, &r.Name, &attributes); err != nil {
		return 0, p, err
	}
	r.Attributes = attributes
	return id, rollup.Derive(&r), nil
}
