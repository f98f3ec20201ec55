package sqlite

import (
	"context"
	"database/sql"
	_ "embed"
	"time"

	"github.com/bitville/listener/shared/refusals"
)

// refusalTable makes the table that refusals are in.
//
//go:embed refusals.sql
var refusalTable string

var (
	//go:embed statements/refusal_add.sql
	addRefusal string
	//go:embed statements/refusals.sql
	refusalsOf string
	//go:embed statements/purge_refusals.sql
	purgeRefusals string
)

// AddRefusals implements refusals.Store. The writer does it between two groups of records.
func (db *DB) AddRefusals(ctx context.Context, all []refusals.Refusal) error {
	return db.writer.do(ctx, func(conn *sql.Conn) error {
		if err := db.writer.wal.mayWrite(); err != nil {
			return err
		}
		if err := begin(ctx, conn); err != nil {
			return err
		}
		var err error
		for _, r := range all {
			if _, err = conn.ExecContext(ctx, addRefusal, r.Hour.Unix(), r.Project, r.Route, r.Reason, r.Field, r.Count, r.LastAt.UnixMicro(), r.Message); err != nil {
				break
			}
		}
		return end(context.WithoutCancel(ctx), conn, err)
	})
}

// Refusals implements refusals.Store.
func (r *Reader) Refusals(ctx context.Context, project string, from time.Time, limit int) (found []refusals.Refusal, err error) {
	for _, name := range []string{project, ""} {
		err := query(ctx, r.pool, func(rows *sql.Rows) error {
			var one refusals.Refusal
			var hour, last int64
			err := scan(rows, &hour, &one.Project, &one.Route, &one.Reason, &one.Field, &one.Count, &last, &one.Message)
			one.Hour, one.LastAt = time.Unix(hour, 0).UTC(), time.UnixMicro(last).UTC()
			found = append(found, one)
			return err
		}, refusalsOf, from.Truncate(time.Hour).Unix(), name, limit)
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// deleteRefusals deletes what was refused in hours that are over before what is kept begins.
func (p *purge) deleteRefusals(ctx context.Context) error {
	return p.chunk(ctx, func(ctx context.Context, conn *sql.Conn) error {
		_, err := conn.ExecContext(ctx, purgeRefusals, p.before.Add(-time.Hour).Unix())
		return err
	})
}
