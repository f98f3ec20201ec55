package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// A purge believes the clock, and a clock that is wrong by a week would have it delete everything. So each leaves in the
// database when it was. One that comes more than maxJump later, by the clock, and would delete what was to be kept
// then, does nothing for holdFor: in that time somebody can set the clock, or TrustClock. A machine that was off for
// so long meets the same, and loses nothing by it.
const (
	maxJump = 24 * time.Hour
	holdFor = 24 * time.Hour
)

// checkClock returns an error when the purge has to wait.
func (p *purge) checkClock(ctx context.Context, sources []string) error {
	now := p.db.cfg.Now()
	var at, held, seen int64
	err := p.db.pool.QueryRowContext(ctx, lastPurged).Scan(&at, &held, &seen)
	jump := now.Sub(time.UnixMicro(at))
	switch {
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return explain(err)
	case err != nil || jump <= maxJump:
		return p.leave(ctx, now, now, now) // an earlier time too: the next jump is measured from it
	}
	live, err := p.db.any(ctx, sources, p.before.Add(-jump), p.before)
	if err != nil {
		return err
	}
	since := time.UnixMicro(held)
	if now.Sub(time.UnixMicro(seen)).Abs() > maxJump { // the first that is held, or the clock has jumped again
		since = now
	}
	if !live || now.Sub(since) >= holdFor {
		return p.leave(ctx, now, now, now)
	}
	return errors.Join(p.leave(ctx, time.UnixMicro(at), since, now), fmt.Errorf("nothing was deleted: the clock says %s, which is %.0f hours after the last purge, and records "+
		"would go that were to be kept then. If the clock is wrong, set it; if it is right, 'listener purge -force' deletes them, as every purge will from %s on",
		now.UTC().Format(time.DateTime), jump.Hours(), since.Add(holdFor).UTC().Format(time.DateTime)))
}

// TrustClock has the next purge believe the clock, whenever the last one was.
func (db *DB) TrustClock(ctx context.Context) error {
	now := db.cfg.Now()
	return (&purge{db: db}).leave(ctx, now, now, now)
}

// leave notes for the next purge what schema.sql says of these columns.
func (p *purge) leave(ctx context.Context, at, held, seen time.Time) error {
	return p.chunk(ctx, func(ctx context.Context, conn *sql.Conn) error {
		_, err := conn.ExecContext(ctx, setPurged, at.UnixMicro(), held.UnixMicro(), seen.UnixMicro())
		return err
	})
}
