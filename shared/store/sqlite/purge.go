package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bitville/listener/shared/store"
)

const (
	chunkTime    = 2 * time.Millisecond   // what one chunk of a purge may keep the writer from its inserts
	restFor      = 3                      // times as long as a chunk took the writer is left to the inserts, when there are any
	chunkPause   = 3 * lockPoll           // a chance for another process's writer: after each chunk when there is one,
	pauseEvery   = 100 * time.Millisecond // and so often in any case
	firstRows    = 256
	minRows      = 32 // and pages, also when a machine is slow
	maxRows      = 16384
	vacuumPages  = 512
	vacuumTime   = 10 * time.Minute // giving space back takes at most; the next purge goes on
	keepFree     = 1.0 / 16         // of a file's pages may stay free: new records fill them, and none is moved for it;
	keepFrom     = 4096             // of a file of fewer pages none stays
	manyFree     = 1 << 16          // pages; with more of them SQLite looks long for each that is given back
	lockAttempts = 75               // a busy listener leaves a purge by hand few gaps; each attempt takes lockTimeout
)

// Purge deletes the records whose timestamp is before the given time, and gives the space back. It works
// in chunks between the inserts, each short enough not to be felt. It stops between two when ctx ends, and
// says so in the report's Unfinished; the report tells what was done, with an error too. One error is that the
// clock seems to be wrong: see checkClock.
func (db *DB) Purge(ctx context.Context, before time.Time) (store.PurgeReport, error) {
	p := &purge{DB: db, before: before}
	err := p.run(ctx)
	if err != nil && ctx.Err() != nil {
		p.report.Unfinished, err = true, nil
	}
	return p.report, err
}

// purge is one that runs.
type purge struct {
	*DB
	before time.Time // when what is kept begins
	report store.PurgeReport

	version int           // PRAGMA data_version at the last chunk
	others  bool          // have written since the one before it: other processes
	paused  time.Time     // when they last had a chance
	took    time.Duration // the last chunk
	beside  bool          // there are inserts
}

func (p *purge) run(ctx context.Context) error {
	sources, err := p.sources(ctx)
	if err != nil {
		return fmt.Errorf("list sources: %w", err)
	}
	if err := p.checkClock(ctx, sources); err != nil {
		return err
	}
	before := fmt.Sprintf("timestamp < %d", p.before.UnixMicro())
	for _, source := range sources {
		n, err := p.deleteAll(ctx, rows{"profiling_data WHERE source = ?", []any{source}, before, "timestamp, id"}, manyFree)
		p.report.Rows += n
		if err != nil {
			return fmt.Errorf("delete old records: %w", err)
		}
	}
	// Only now, for what is in the tables no more could be stored again. Of the look-ups whole parts go, when no
	// record of theirs is left; entries of single records that are gone lead nowhere until then.
	for _, old := range []rows{
		{"profiling_data_seen WHERE true", nil, before, "timestamp, digest"},
		{"profiling_data_lookup WHERE true", nil, "part < (SELECT coalesce(min(id), 1 << 62) FROM profiling_data) >> 16", "part, digits, id"},
	} {
		if _, err := p.deleteAll(ctx, old, manyFree); err != nil {
			return fmt.Errorf("delete look-ups of old records: %w", err)
		}
	}
	if err := p.vacuum(ctx, 0); err != nil {
		return fmt.Errorf("give space back: %w", err)
	}
	p.report.Oldest, err = p.oldest(ctx, sources)
	return err
}

// rows are those of a table that a purge deletes: what a statement says after FROM with its arguments, which of those
// rows are old, and the columns of the index that has them in order.
type rows struct {
	from string
	args []any
	old  string
	key  string
}

// deleteSome deletes the first n of them, in ranges of the index: that is faster than to delete each by its id. There are
// two, for in one over several columns SQLite would read all rows that share the first column's last value.
func (r rows) deleteSome(ctx context.Context, conn *sql.Conn, n int) (deleted int, err error) {
	first, rest, _ := strings.Cut(r.key, ", ")
	last := make([]any, strings.Count(r.key, ",")+1)
	into := make([]any, len(last))
	for i := range last {
		into[i] = &last[i]
	}
	find := fmt.Sprintf("SELECT %[1]s FROM %[2]s AND %[3]s ORDER BY %[1]s LIMIT 1 OFFSET %[4]d", r.key, r.from, r.old, n-1)
	err = conn.QueryRowContext(ctx, find, r.args...).Scan(into...)
	if errors.Is(err, sql.ErrNoRows) { // there are fewer
		return r.delete(ctx, conn, r.old)
	}
	if err != nil {
		return 0, err
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	before, err := r.delete(ctx, tx, first+" < ?", last[0])
	if err != nil {
		return 0, err
	}
	upto, err := r.delete(ctx, tx, fmt.Sprintf("%s = ? AND (%s) <= (?%s)", first, rest, strings.Repeat(", ?", len(last)-2)), last...)
	if err != nil {
		return 0, err
	}
	return before + upto, tx.Commit()
}

func (r rows) delete(ctx context.Context, on interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}, which string, args ...any) (deleted int, err error) {
	res, err := on.ExecContext(ctx, "DELETE FROM "+r.from+" AND "+which, slices.Concat(r.args, args)...)
	if err != nil {
		return 0, err
	}
	count, err := res.RowsAffected()
	return int(count), err
}

// deleteAll deletes all of the rows, a chunk at a time: as many as the last ones say that the writer can spare the time
// for. Of free pages only so many wait for the end of the purge: to find one of millions takes SQLite tens of milliseconds.
func (p *purge) deleteAll(ctx context.Context, old rows, free int) (deleted int, err error) {
	for limit := firstRows; ; {
		var some int
		var took time.Duration
		err := p.chunk(ctx, func(ctx context.Context, conn *sql.Conn) (err error) {
			start := time.Now()
			some, err = old.deleteSome(ctx, conn, limit)
			took = time.Since(start)
			return errors.Join(err, p.lookups.purged(ctx, p.before))
		})
		deleted += some
		if err == nil {
			err = p.vacuum(ctx, free)
		}
		if err != nil || some < limit {
			return deleted, err
		}
		switch {
		case took > chunkTime:
			limit = max(limit/2, minRows)
		case took < chunkTime/3:
			limit = min(limit*2, maxRows)
		}
	}
}

// vacuum moves pages from the end of the file into the holes that a purge left, and cuts the file. What the records of
// the next hours will fill stays, and so do as many pages as keep says.
func (p *purge) vacuum(ctx context.Context, keep int) error {
	for begun := time.Now(); time.Since(begun) < vacuumTime; {
		var given, pageSize int
		err := p.chunk(ctx, func(ctx context.Context, conn *sql.Conn) error {
			before, err := pragmaInt(ctx, conn, "page_count")
			if err != nil {
				return err
			}
			free, err := pragmaInt(ctx, conn, "freelist_count")
			if err != nil || free <= keep || before >= keepFrom && float64(free) <= float64(before)*keepFree {
				return err
			}
			// Each step gives one page back: the statement must be stepped as long as there is time.
			rows, err := conn.QueryContext(ctx, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumPages))
			if err != nil {
				return err
			}
			for n, start := 0, time.Now(); rows.Next() && (n < minRows || time.Since(start) < chunkTime); n++ {
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil {
				return err
			}
			after, err := pragmaInt(ctx, conn, "page_count")
			if err != nil {
				return err
			}
			given = before - after
			pageSize, err = pragmaInt(ctx, conn, "page_size")
			return err
		})
		if err != nil || given == 0 {
			return err
		}
		p.report.Pages += given
		p.report.Bytes += int64(given) * int64(pageSize)
	}
	return nil
}

// chunk runs one step of a purge on the writing connection, again while another process has the lock. A step
// that has begun is not stopped when ctx ends: what it did could not be told then.
func (p *purge) chunk(ctx context.Context, step func(context.Context, *sql.Conn) error) error {
	for attempt := 1; ; attempt++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if p.watch.found.Load() {
			return errForeign
		}
		if attempt > 1 || p.others || time.Since(p.paused) > pauseEvery {
			time.Sleep(chunkPause)
			p.paused = time.Now()
		}
		if p.beside {
			time.Sleep(restFor * p.took)
		}
		for late := time.Now().Add(2 * walInterval); p.log.size() > walKept && time.Now().Before(late); {
			time.Sleep(chunkPause) // at twice the size they would be refused
		}
		err := p.do(ctx, func(conn *sql.Conn) error {
			version, err := pragmaInt(ctx, conn, "data_version")
			if err != nil {
				return err
			}
			p.others, p.version = p.version != 0 && version != p.version, version
			p.beside = time.Since(p.inserted) < pauseEvery
			return whileLocked(func() error {
				start := time.Now()
				defer func() {
					p.took = time.Since(start)
					p.report.Longest = max(p.report.Longest, p.took)
				}()
				return step(context.WithoutCancel(ctx), conn)
			})
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
