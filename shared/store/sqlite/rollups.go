package sqlite

import (
	"context"
	"database/sql"
	"log/slog"
	"sync"
	"time"

	"github.com/bitville/listener/shared/rollup"
)

// flushEvery is how often the rollups are written: a cell is one row, however many records came meanwhile. The sooner it is
// written, the less is derived again after a kill.
const flushEvery = 30 * time.Second

// rollups keep what the records come to. What the records of the last seconds add is in memory, and the pages of this
// process add it to what is in the tables; then it is written. The writer's goroutine owns them, but for what mu guards.
//
// A kill loses what is in memory, and nothing of it: the marks in the database say which records the tables have, in the
// transaction that made it so, and the next start derives the others from the records. See catchUp.
type rollups struct {
	conn *sql.Conn
	rollupStatements
	mayWrite func() error
	log      *slog.Logger

	last    int64           // the id of the last record that was stored
	lowered int             // how often ids have begun anew; see lower
	floor   int64           // what the mark of all says, as far as it was written from here
	round   []*rollup.Batch // are to be written now
	failed  time.Time       // when that last failed
	tick    *time.Ticker
	behind  chan struct{} // told that there is something to catch up with; it has room for that

	mu     sync.Mutex // readers hold it while they begin a transaction and copy deltas; so they count nothing twice
	deltas rollup.Deltas
}

// newRollups begins with what the marks of the database say. keep is false for a process beside the one that keeps rollups:
// it must not write any.
func newRollups(ctx context.Context, conn *sql.Conn, mayWrite func() error, log *slog.Logger, keep bool) (r *rollups, err error) {
	r = &rollups{conn: conn, mayWrite: mayWrite, log: log, tick: time.NewTicker(flushEvery), behind: make(chan struct{}, 1)}
	if r.rollupStatements, err = prepareRollups(ctx, conn); err != nil {
		return nil, err
	}
	if err := conn.QueryRowContext(ctx, lastRecord).Scan(&r.last); err != nil {
		return nil, explain(err)
	}
	if !keep {
		return r, nil
	}
	if _, err := r.lowerMarks.ExecContext(ctx, r.last); err != nil { // a purge may have deleted the last records
		return nil, explain(err)
	}
	marks, err := readMarks(ctx, conn)
	if err != nil {
		return nil, err
	}
	if r.floor = marks.Floor; r.floor == r.last {
		r.deltas.Start(r.last)
	} else {
		r.fallBehind()
	}
	return r, nil
}

// live tells whether there is nothing to catch up with.
func (r *rollups) live() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.deltas.Behind()
}

func (r *rollups) fallBehind() {
	select {
	case r.behind <- struct{}{}:
	default:
	}
}

// stored is a record that the transaction has stored.
type stored struct {
	id    int64
	point *rollup.Point
}

// add counts in the records of a transaction that has committed.
func (r *rollups) add(records []stored) {
	if len(records) == 0 {
		return
	}
	r.mu.Lock()
	held := !r.deltas.Behind()
	if records[0].id <= r.last { // lower was called: what is held is in part of records whose ids others have now
		r.deltas.Stop()
		held = false
		r.fallBehind()
	}
	r.last = records[len(records)-1].id
	for _, s := range records {
		r.deltas.Add(s.point, s.id)
	}
	dropped, due := held && r.deltas.Behind(), r.deltas.Due()
	r.mu.Unlock()
	if dropped {
		r.log.Warn("the rollups could not be written for so long that they are derived from the records again")
		r.fallBehind()
	}
	if due && len(r.round) == 0 && time.Since(r.failed) > flushEvery {
		r.begin()
	}
}

// lower says, in the transaction that stored a record, that its id was given before: the records that had it and higher ones
// are purged. SQLite gives the id after the highest that there is.
func (r *rollups) lower(ctx context.Context, id int64) error {
	r.lowered++
	r.floor = 0
	_, err := r.lowerMarks.ExecContext(ctx, id-1)
	return err
}

// begin has everything written that is held: step by step, so that inserts go on between.
func (r *rollups) begin() {
	r.mu.Lock()
	r.round = r.deltas.Batches()
	r.mu.Unlock()
	if len(r.round) == 0 { // there may have been records that count nowhere
		r.told(r.end())
	}
}

// ready is closed.
var ready = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// due returns what can be received from while there is something to write now.
func (r *rollups) due() <-chan struct{} {
	if len(r.round) == 0 {
		return nil
	}
	return ready
}

// step writes one batch.
func (r *rollups) step() {
	b := r.round[0]
	r.round = r.round[1:]
	r.mu.Lock()
	known := r.deltas.Take(b)
	r.mu.Unlock()
	if known && !r.told(r.write(b, &r.mu, &r.deltas)) {
		return
	}
	if len(r.round) == 0 {
		r.told(r.end())
	}
}

// end ends a round: what was not written in it is newer than its beginning.
func (r *rollups) end() error {
	r.mu.Lock()
	floor := r.deltas.Floor()
	r.mu.Unlock()
	return r.raise(floor)
}

// told ends the round when there is an error, which it tells the log; what was not written is written by a later one.
func (r *rollups) told(err error) (ok bool) {
	if err != nil {
		r.log.Warn("the rollups were not written; they will be later", "error", err.Error())
		r.round, r.failed = nil, time.Now()
	}
	return err == nil
}

// write adds a batch to the tables in one transaction. Before that is over for readers, the batch is over in the deltas
// that it is from.
func (r *rollups) write(b *rollup.Batch, mu sync.Locker, from *rollup.Deltas) error {
	ctx := context.Background()
	err := r.mayWrite()
	if err == nil {
		err = begin(ctx, r.conn)
	}
	begun := err == nil
	if begun {
		err = b.Apply(rollupRows{ctx, r, b.Series})
	}
	mu.Lock()
	defer mu.Unlock()
	if begun {
		err = end(ctx, r.conn, err)
	}
	if err == nil {
		from.Done(b)
	}
	return err
}

// raise marks that the tables have every record up to an id.
func (r *rollups) raise(floor int64) error {
	if floor <= r.floor {
		return nil
	}
	if err := r.mayWrite(); err != nil {
		return err
	}
	ctx := context.Background()
	err := begin(ctx, r.conn)
	if err != nil {
		return err
	}
	if _, err = r.mark.ExecContext(ctx, "", "", floor); err == nil {
		_, err = r.passMarks.ExecContext(ctx, floor)
	}
	if err = end(ctx, r.conn, err); err == nil {
		r.floor = floor
	}
	return err
}

// flush writes everything that is held.
func (r *rollups) flush() {
	for r.begin(); len(r.round) > 0; {
		r.step()
	}
}

func (r *rollups) close() error {
	r.tick.Stop()
	return r.rollupStatements.close()
}

// begin begins a transaction that writes.
func begin(ctx context.Context, conn *sql.Conn) error {
	return explain(whileLocked(func() error {
		_, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE")
		return err
	}))
}

// end commits the transaction, or rolls it back when there was an error, and returns that or what kept it from being
// committed.
func end(ctx context.Context, conn *sql.Conn, err error) error {
	if err == nil {
		_, err = conn.ExecContext(ctx, "COMMIT")
	}
	if err != nil {
		// SQLite may have rolled back by itself already; the error that counts is the first one.
		_, _ = conn.ExecContext(ctx, "ROLLBACK")
	}
	return explain(err)
}

// readMarks returns which records the tables have.
func readMarks(ctx context.Context, q querier) (marks rollup.Marks, err error) {
	marks.Last = map[rollup.Series]int64{}
	err = query(ctx, q, func(rows *sql.Rows) error {
		var s rollup.Series
		var last int64
		err := scan(rows, &s.Project, &s.Source, &last)
		if s == (rollup.Series{}) {
			marks.Floor = last
		} else {
			marks.Last[s] = last
		}
		return err
	}, rollupMarks)
	return marks, err
}
