package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/bitville/listener/shared/rollup"
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
	p := &purge{db: db, before: before}
	err := p.run(ctx)
	if err != nil && ctx.Err() != nil {
		p.report.Unfinished, err = true, nil
	}
	return p.report, err
}

// purge is one that runs. Its goroutine owns it; a chunk changes it while that waits.
type purge struct {
	db     *DB
	before time.Time // when what is kept begins
	report store.PurgeReport

	version   int           // PRAGMA data_version at the last chunk
	others    bool          // have written since the one before it: other processes
	paused    time.Time     // when they last had a chance
	took      time.Duration // the last chunk
	inserting bool          // there are inserts
}

func (p *purge) run(ctx context.Context) error {
	sources, _, err := p.db.sources(ctx)
	if err != nil {
		return fmt.Errorf("list sources: %w", err)
	}
	if err := p.checkClock(ctx, sources); err != nil {
		return err
	}
	for _, source := range sources {
		n, err := p.deleteAll(ctx, source, manyFree)
		p.report.Rows += n
		if err != nil {
			return fmt.Errorf("delete old records: %w", err)
		}
	}
	if err := p.deleteRollups(ctx); err != nil {
		return fmt.Errorf("delete old rollups: %w", err)
	}
	if err := p.deleteRefusals(ctx); err != nil {
		return fmt.Errorf("delete old refusals: %w", err)
	}
	if err := p.vacuum(ctx, 0); err != nil {
		return fmt.Errorf("give space back: %w", err)
	}
	_, p.report.Oldest, err = p.db.sources(ctx)
	return err
}

// deleteAll deletes the old records of a source, a chunk at a time: as many as the last ones say that the writer can spare
// the time for. Of free pages only so many wait for the end of the purge: to find one of millions takes SQLite tens of
// milliseconds.
func (p *purge) deleteAll(ctx context.Context, source string, free int) (deleted int, err error) {
	for limit := firstRows; ; {
		var some int
		var took time.Duration
		err := p.chunk(ctx, func(ctx context.Context, conn *sql.Conn) (err error) {
			start := time.Now()
			some, err = deleteSome(ctx, conn, source, p.before, limit)
			took = time.Since(start)
			return err
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

// deleteRollups deletes what was summed up of records that are gone: minutes and hours that are over before what is kept
// begins. Days stay for cfg.History, and the texts of their keys.
func (p *purge) deleteRollups(ctx context.Context) error {
	series, err := p.db.series(ctx)
	if err != nil {
		return err
	}
	over := func(before time.Time, span rollup.Span) int64 { return before.Unix() - int64(span) + 1 }
	hour, minute := over(p.before, rollup.Hour), over(p.before, rollup.Minute)
	day := over(earlier(p.before, p.db.cfg.Now().Add(-p.db.cfg.History)), rollup.Day)
	for _, s := range series {
		for _, d := range []struct {
			statement string
			args      []any
		}{
			{purgeMinutes, []any{minute}}, {purgeNames, []any{hour, day}},
			{purgeRollups, []any{rollup.Day, day}}, {purgeRollups, []any{rollup.Hour, hour}},
		} {
			for deleted := 1; deleted > 0; {
				err := p.chunk(ctx, func(ctx context.Context, conn *sql.Conn) (err error) {
					deleted, err = affected(conn.ExecContext(ctx, d.statement, append([]any{s.Project, s.Source}, d.args...)...))
					return err
				})
				if err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// deleteSome deletes the n oldest records of a source from before a time, in ranges of the index: that is faster than to
// delete each by its id. There are two ranges, for in one over both columns SQLite would read all rows of the last time.
func deleteSome(ctx context.Context, conn *sql.Conn, source string, before time.Time, n int) (deleted int, err error) {
	var timestamp, id int64
	err = conn.QueryRowContext(ctx, purgeMark, source, before.UnixMicro(), n-1).Scan(&timestamp, &id)
	if errors.Is(err, sql.ErrNoRows) { // there are fewer
		return affected(conn.ExecContext(ctx, purgeBefore, source, before.UnixMicro()))
	}
	if err != nil {
		return 0, err
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	earlier, err := affected(tx.ExecContext(ctx, purgeBefore, source, timestamp))
	if err != nil {
		return 0, err
	}
	last, err := affected(tx.ExecContext(ctx, purgeAt, source, timestamp, id))
	if err != nil {
		return 0, err
	}
	return earlier + last, tx.Commit()
}

// affected is how many rows a statement changed.
func affected(res sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return int(n), err
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
		if p.db.file.tampered.Load() {
			return errTampered
		}
		if attempt > 1 || p.others || time.Since(p.paused) > pauseEvery {
			time.Sleep(chunkPause)
			p.paused = time.Now()
		}
		if p.inserting {
			time.Sleep(restFor * p.took)
		}
		for late := time.Now().Add(2 * walInterval); p.db.file.walBytes() > walKept && time.Now().Before(late); {
			time.Sleep(chunkPause) // at twice the size they would be refused
		}
		err := p.db.writer.do(ctx, func(conn *sql.Conn) error {
			version, err := pragmaInt(ctx, conn, "data_version")
			if err != nil {
				return err
			}
			p.others, p.version = p.version != 0 && version != p.version, version
			p.inserting = time.Since(p.db.writer.inserted) < pauseEvery
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
