package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/bitville/listener/shared/rollup"
)

// rollupStatements are prepared on the writing connection.
type rollupStatements struct {
	cell, keys, put, name, minute, mark, passMarks, lowerMarks *sql.Stmt
}

func prepareRollups(ctx context.Context, conn *sql.Conn) (s rollupStatements, err error) {
	for _, p := range []struct {
		into *(*sql.Stmt)
		text string
	}{
		{&s.cell, rollupCell}, {&s.keys, rollupKeys}, {&s.put, putRollup}, {&s.name, nameRollup}, {&s.minute, addMinute},
		{&s.mark, markRollups}, {&s.passMarks, passMarks}, {&s.lowerMarks, lowerMarks},
	} {
		if *p.into, err = conn.PrepareContext(ctx, p.text); err != nil {
			return s, fmt.Errorf("prepare what writes rollups: %w", err)
		}
	}
	return s, nil
}

func (s rollupStatements) close() error {
	var all []error
	for _, stmt := range []*sql.Stmt{s.cell, s.keys, s.put, s.name, s.minute, s.mark, s.passMarks, s.lowerMarks} {
		all = append(all, stmt.Close())
	}
	return errors.Join(all...)
}

// rollupRows are the tables as a batch sees them.
type rollupRows struct {
	ctx context.Context
	*rollups
	rollup.Series
}

func (t rollupRows) Cell(span rollup.Span, start int64, key string) (*rollup.Cell, error) {
	var encoded sql.RawBytes
	rows, err := t.cell.QueryContext(t.ctx, t.Project, t.Source, span, start, key)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	if !rows.Next() {
		return nil, rows.Err()
	}
	if err := rows.Scan(&encoded); err != nil {
		return nil, err
	}
	c := new(rollup.Cell)
	if err := c.Decode(encoded); err != nil { // it begins anew: what cannot be read must not keep the others from being written
		t.log.Warn("the figures of a key in one hour or day are damaged, and are lost", "project", t.Project, "source", t.Source,
			"start", start, "key", key, "error", err.Error())
	}
	return c, nil
}

func (t rollupRows) Keys(span rollup.Span, start int64) (n int, err error) {
	err = t.keys.QueryRowContext(t.ctx, t.Project, t.Source, span, start).Scan(&n)
	return n, err
}

func (t rollupRows) Put(span rollup.Span, start int64, key string, cell *rollup.Cell) error {
	_, err := t.put.ExecContext(t.ctx, t.Project, t.Source, span, start, key, cell.Append(nil))
	return err
}

func (t rollupRows) Name(span rollup.Span, start int64, key, text string) error {
	hour, day := start, int64(0)
	if span == rollup.Day {
		hour, day = 0, start
	}
	_, err := t.name.ExecContext(t.ctx, t.Project, t.Source, key, text, hour, day)
	return err
}

func (t rollupRows) Count(m rollup.Tally) error {
	_, err := t.minute.ExecContext(t.ctx, t.Project, t.Source, m.Minute, m.Count, m.Sum)
	return err
}

func (t rollupRows) Mark(last int64) error {
	_, err := t.mark.ExecContext(t.ctx, t.Project, t.Source, last)
	return err
}
