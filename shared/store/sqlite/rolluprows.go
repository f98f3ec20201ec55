package sqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/bitville/listener/shared/rollup"
)

// rollupStatements are prepared on the writing connection.
type rollupStatements struct {
	cells, keys, put, name, minute, mark, passMarks, lowerMarks *sql.Stmt
}

func prepareRollups(ctx context.Context, conn *sql.Conn) (s rollupStatements, err error) {
	for _, p := range []struct {
		into *(*sql.Stmt)
		text string
	}{
		{&s.cells, rollupCells}, {&s.keys, rollupKeys}, {&s.put, putRollup}, {&s.name, nameRollup}, {&s.minute, addMinute},
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
	for _, stmt := range []*sql.Stmt{s.cells, s.keys, s.put, s.name, s.minute, s.mark, s.passMarks, s.lowerMarks} {
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

func (t rollupRows) Cells(span rollup.Span, start int64, keys []string, each func(string, *rollup.Cell)) error {
	list, err := json.Marshal(keys)
	if err != nil {
		return err
	}
	rows, err := t.cells.QueryContext(t.ctx, t.Project, t.Source, span, start, string(list))
	if err != nil {
		return err
	}
	defer rows.Close()
	var key string
	var encoded sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&key, &encoded); err != nil {
			return err
		}
		c := new(rollup.Cell)
		if err := c.Decode(encoded); err != nil { // it begins anew: what cannot be read must not keep the others from being written
			t.log.Warn("the figures of a key in one hour or day are damaged, and are lost", "project", t.Project, "source", t.Source,
				"start", start, "key", key, "error", err.Error())
		}
		each(key, c)
	}
	return rows.Err()
}

func (t rollupRows) Keys(span rollup.Span, start int64) (n int, err error) {
	err = t.keys.QueryRowContext(t.ctx, t.Project, t.Source, span, start).Scan(&n)
	return n, err
}

// Put writes them by one statement, in order of their keys: one statement each takes more than twice the time.
func (t rollupRows) Put(span rollup.Span, start int64, cells map[string]*rollup.Cell) error {
	encoded := make(map[string]string, len(cells))
	for key, cell := range cells {
		encoded[key] = hex.EncodeToString(cell.Append(nil))
	}
	list, err := json.Marshal(encoded)
	if err != nil {
		return err
	}
	_, err = t.put.ExecContext(t.ctx, t.Project, t.Source, span, start, string(list))
	return err
}

func (t rollupRows) Name(key, text string, hour, day int64) error {
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
