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

// checkClock returns an error when a purge of what is older than before has to wait.
func (db *DB) checkClock(ctx context.Context, sources []string, before time.Time) error {
	now := db.cfg.Now()
	var atMicro, heldMicro int64
	err := db.Reader.pool.QueryRowContext(ctx, "SELECT at, held FROM profiling_data_purged").Scan(&atMicro, &heldMicro)
	if errors.Is(err, sql.ErrNoRows) {
		return db.setPurged(ctx, now, time.UnixMicro(0))
	}
	if err != nil {
		return explain(err)
	}
	at, held := time.UnixMicro(atMicro), time.UnixMicro(heldMicro)
	if heldMicro == 0 || now.Before(held) {
		held = now
	}
	jump := now.Sub(at)
	if jump <= maxJump || now.Sub(held) >= holdFor {
		if at.After(now) {
			now = at // the clock was set back, or is wrong now: the later time is the safer one
		}
		return db.setPurged(ctx, now, time.UnixMicro(0))
	}
	live, err := db.any(ctx, sources, before.Add(-jump), before)
	if err != nil || !live {
		return errors.Join(err, db.setPurged(ctx, now, time.UnixMicro(0)))
	}
	return errors.Join(db.setPurged(ctx, at, held), fmt.Errorf("nothing was deleted: the clock says %s, which is %.0f hours after the last purge, and records "+
		"would go that were to be kept then. If the clock is wrong, set it; if it is right, 'listener purge -force' deletes them, as every purge will from %s on",
		now.UTC().Format(time.DateTime), jump.Hours(), held.Add(holdFor).UTC().Format(time.DateTime)))
}

// any tells whether there are records of that time.
func (r *Reader) any(ctx context.Context, sources []string, from, before time.Time) (found bool, err error) {
	for _, source := range sources {
		err := r.pool.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM profiling_data WHERE source = ? AND timestamp >= ? AND timestamp < ?)",
			source, from.UnixMicro(), before.UnixMicro()).Scan(&found)
		if found || err != nil {
			return found, explain(err)
		}
	}
	return false, nil
}

// TrustClock has the next purge believe the clock, whenever the last one was.
func (db *DB) TrustClock(ctx context.Context) error {
	return db.setPurged(ctx, db.cfg.Now(), time.UnixMicro(0))
}

func (db *DB) setPurged(ctx context.Context, at, held time.Time) error {
	return explain(db.do(ctx, func(conn *sql.Conn) error {
		return whileLocked(func() error {
			_, err := conn.ExecContext(ctx, "INSERT OR REPLACE INTO profiling_data_purged (id, at, held) VALUES (1, ?, ?)", at.UnixMicro(), held.UnixMicro())
			return err
		})
	}))
}
