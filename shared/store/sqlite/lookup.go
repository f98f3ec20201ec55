package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bitville/listener/shared/record"
)

const (
	fillRows   = 4096        // look-ups that may be behind the records before they begin to be filled in
	fillAfter  = time.Second // or so much time
	fillAtOnce = 64          // rows of one statement
	fillPace   = 4           // rows of either table that a record brings with it: two are its own
	partBits   = 16          // of a part of profiling_data_lookup, in ids
)

// fillAll fills the look-up tables from all records.
const fillAll = `
INSERT OR IGNORE INTO profiling_data_seen SELECT timestamp, digest FROM profiling_data ORDER BY timestamp, digest;
INSERT OR IGNORE INTO profiling_data_lookup
	SELECT id >> 16, substr(correlation_id, 5, 4) || substr(correlation_id, -4), id FROM profiling_data ORDER BY 1, 2, 3;
UPDATE profiling_data_filled SET upto = (SELECT coalesce(max(id), 0) FROM profiling_data);`

// lookup is what the look-up tables hold of one record.
type lookup struct {
	id     int64
	key    key
	digits string
}

// key tells a record from all others: the digest covers every field of it, the timestamp too, which is beside
// it so that records of one time lie together.
type key struct{ timestamp, digest int64 }

func keyOf(r *record.Record) key { return key{r.Timestamp, r.Digest} }

// digits are those of a correlation id that profiling_data_lookup goes by.
func digits(correlationID string) string {
	return correlationID[4:8] + correlationID[len(correlationID)-4:]
}

// lookups fills the look-up tables of schema.sql behind the records. It belongs to the writer, and what it knows is
// what the database holds above profiling_data_filled.upto: its methods are called within a transaction.
type lookups struct {
	conn *sql.Conn
	now  func() time.Time

	behind  []lookup         // records that the tables don't hold yet, in the order of their ids
	filling filling          // of those before them, when one is under way
	keys    map[key]struct{} // of both
	since   time.Time        // when the tables were last filled
	version int64            // PRAGMA data_version when all this was right; 0 when it may not be
	shared  bool             // another process has written since the last fill: what is under way may not come to its end

	dataVersion, upto        *sql.Stmt
	seen, seenMany           *sql.Stmt
	correlate, correlateMany *sql.Stmt
}

// filling is one that is under way: a part of it in each transaction, so that no request waits for all of it.
type filling struct {
	rows        []lookup // first as profiling_data_seen has them, then as profiling_data_lookup does
	at          int      // the rows before it are there
	correlating bool     // it is the second table's turn
	upto        int64    // the last id
}

// newLookups prepares what a writer on conn needs.
func newLookups(ctx context.Context, conn *sql.Conn, now func() time.Time) (*lookups, error) {
	l := &lookups{conn: conn, now: now, since: now(), keys: make(map[key]struct{})}
	for _, p := range []struct {
		into  **sql.Stmt
		query string
	}{
		{&l.dataVersion, "PRAGMA data_version"},
		{&l.upto, "UPDATE profiling_data_filled SET upto = ?"},
		{&l.seen, insertMany("profiling_data_seen", "(?,?)", 1)},
		{&l.seenMany, insertMany("profiling_data_seen", "(?,?)", fillAtOnce)},
		{&l.correlate, insertMany("profiling_data_lookup", "(?,?,?)", 1)},
		{&l.correlateMany, insertMany("profiling_data_lookup", "(?,?,?)", fillAtOnce)},
	} {
		stmt, err := conn.PrepareContext(ctx, p.query)
		if err != nil {
			return nil, fmt.Errorf("prepare %s: %w", p.query, err)
		}
		*p.into = stmt
	}
	return l, nil
}

func insertMany(table, row string, n int) string {
	return "INSERT OR IGNORE INTO " + table + " VALUES " + strings.TrimSuffix(strings.Repeat(row+",", n), ",")
}

// close gives the statements back.
func (l *lookups) close() error {
	var errs []error
	for _, s := range []*sql.Stmt{l.dataVersion, l.upto, l.seen, l.seenMany, l.correlate, l.correlateMany} {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}

// refresh makes behind what the database says when another process has written since, and after a transaction that
// did not end well.
func (l *lookups) refresh(ctx context.Context) error {
	var version int64
	if err := l.dataVersion.QueryRowContext(ctx).Scan(&version); err != nil {
		return err
	}
	if version == l.version {
		return nil
	}
	l.shared = l.shared || l.version != 0
	l.forget()
	// Ids begin again below upto when a purge took the last records.
	_, err := l.conn.ExecContext(ctx, `UPDATE profiling_data_filled SET upto = (SELECT coalesce(max(id), 0) FROM profiling_data)
		WHERE upto > (SELECT coalesce(max(id), 0) FROM profiling_data)`)
	if err != nil {
		return err
	}
	rows, err := l.conn.QueryContext(ctx, `SELECT id, timestamp, digest, correlation_id FROM profiling_data
		WHERE id > (SELECT upto FROM profiling_data_filled) ORDER BY id`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var r record.Record
		if err := rows.Scan(&id, &r.Timestamp, &r.Digest, &r.CorrelationID); err != nil {
			return err
		}
		l.add(id, &r)
	}
	l.version = version
	return rows.Err()
}

// forget has the next refresh ask the database.
func (l *lookups) forget() {
	l.behind, l.filling, l.version = l.behind[:0], filling{rows: l.filling.rows[:0]}, 0
	clear(l.keys)
}

// purged has the next refresh ask the database when a purge of what is older than the given time may have taken
// records that the tables don't hold yet, or the last ones, whose ids are given again.
func (l *lookups) purged(ctx context.Context, before time.Time) error {
	old := func(row lookup) bool { return row.key.timestamp < before.UnixMicro() }
	if slices.ContainsFunc(l.behind, old) || slices.ContainsFunc(l.filling.rows, old) {
		l.forget()
		return nil
	}
	var again bool
	err := l.conn.QueryRowContext(ctx, `SELECT upto > (SELECT coalesce(max(id), 0) FROM profiling_data) FROM profiling_data_filled`).Scan(&again)
	if again || err != nil {
		l.forget()
	}
	return err
}

// has tells whether a record is among those that the tables don't hold yet.
func (l *lookups) has(r *record.Record) bool {
	_, ok := l.keys[keyOf(r)]
	return ok
}

// add notes a record that was stored.
func (l *lookups) add(id int64, r *record.Record) {
	l.behind = append(l.behind, lookup{id, keyOf(r), digits(r.CorrelationID)})
	l.keys[keyOf(r)] = struct{}{}
}

// due tells whether the tables are to be filled.
func (l *lookups) due() bool {
	return len(l.filling.rows) > 0 || len(l.behind) >= fillRows ||
		len(l.behind) > 0 && l.now().Sub(l.since).Abs() >= fillAfter
}

// fill brings the tables nearer to the last record, in a transaction of so many records: by its part of the work, or by
// all of it when there are none.
func (l *lookups) fill(ctx context.Context, records int) error {
	f := &l.filling
	if len(f.rows) == 0 && len(l.behind) > 0 {
		*f, l.behind = filling{rows: l.behind, upto: l.behind[len(l.behind)-1].id}, f.rows
		slices.SortFunc(f.rows, func(a, b lookup) int {
			return cmp.Or(cmp.Compare(a.key.timestamp, b.key.timestamp), cmp.Compare(a.key.digest, b.key.digest))
		})
	}
	left := (records*fillPace/fillAtOnce + 1) * fillAtOnce
	if records == 0 || l.shared {
		left = 2 * len(f.rows)
	}
	for len(f.rows) > 0 && left > 0 {
		rows := f.rows[f.at:min(f.at+left, len(f.rows))]
		if err := l.put(ctx, rows, f.correlating); err != nil {
			return err
		}
		f.at += len(rows)
		left -= len(rows)
		switch {
		case f.at < len(f.rows):
		case !f.correlating:
			f.at, f.correlating = 0, true
			slices.SortFunc(f.rows, func(a, b lookup) int {
				return cmp.Or(cmp.Compare(a.id>>partBits, b.id>>partBits), cmp.Compare(a.digits, b.digits))
			})
		default:
			if _, err := l.upto.ExecContext(ctx, f.upto); err != nil {
				return err
			}
			for _, row := range f.rows {
				delete(l.keys, row.key)
			}
			*f, l.since, l.shared = filling{rows: f.rows[:0]}, l.now(), false
		}
	}
	return nil
}

// put inserts rows into one of the tables.
func (l *lookups) put(ctx context.Context, rows []lookup, correlating bool) error {
	if correlating {
		return eachChunk(ctx, rows, l.correlate, l.correlateMany, func(args []any, row lookup) []any {
			return append(args, row.id>>partBits, row.digits, row.id)
		})
	}
	return eachChunk(ctx, rows, l.seen, l.seenMany, func(args []any, row lookup) []any {
		return append(args, row.key.timestamp, row.key.digest)
	})
}

// eachChunk inserts rows by many's statement, and the rest by one's.
func eachChunk(ctx context.Context, rows []lookup, one, many *sql.Stmt, appendRow func([]any, lookup) []any) error {
	var args []any
	for chunk := range slices.Chunk(rows, fillAtOnce) {
		args = args[:0]
		for _, row := range chunk {
			args = appendRow(args, row)
		}
		if len(chunk) == fillAtOnce {
			if _, err := many.ExecContext(ctx, args...); err != nil {
				return err
			}
			continue
		}
		for each := range slices.Chunk(args, len(args)/len(chunk)) {
			if _, err := one.ExecContext(ctx, each...); err != nil {
				return err
			}
		}
	}
	return nil
}
