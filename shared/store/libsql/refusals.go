package libsql

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/bitville/listener/shared/refusals"
)

// addRefusals adds the counts of a JSON array of arrays. A server may run it twice, and then counts twice: for what it is
// read for that does no harm.
const addRefusals = `INSERT INTO profiling_data_refused (hour, project, route, reason, field, count, last_at, message)
	SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7 FROM json_each(?1) WHERE true
	ON CONFLICT DO UPDATE SET count = count + excluded.count, last_at = excluded.last_at, message = excluded.message RETURNING 1`

// AddRefusals implements refusals.Store.
func (db *DB) AddRefusals(ctx context.Context, all []refusals.Refusal) error {
	rows := make([][]any, len(all))
	for i, r := range all {
		rows[i] = []any{r.Hour.Unix(), r.Project, r.Route, r.Reason, r.Field, r.Count, r.LastAt.UnixMicro(), r.Message}
	}
	text, err := json.Marshal(rows)
	if err != nil {
		return fmt.Errorf("encode refusals: %w", err)
	}
	_, err = db.write(ctx, addRefusals, string(text))
	return err
}

// Refusals implements refusals.Store.
func (db *DB) Refusals(ctx context.Context, project string, from time.Time, limit int) (found []refusals.Refusal, err error) {
	for _, name := range []string{project, ""} {
		err := db.query(ctx, func(rows *sql.Rows) error {
			var one refusals.Refusal
			var hour, last int64
			err := rows.Scan(&hour, &one.Project, &one.Route, &one.Reason, &one.Field, &one.Count, &last, &one.Message)
			one.Hour, one.LastAt = time.Unix(hour, 0).UTC(), time.UnixMicro(last).UTC()
			found = append(found, one)
			return err
		}, `SELECT hour, project, route, reason, field, count, last_at, message FROM profiling_data_refused
			WHERE hour >= ?1 AND project = ?2 ORDER BY hour DESC LIMIT ?3`, from.Truncate(time.Hour).Unix(), name, limit)
		if err != nil && missingTable(err) { // nothing was refused yet
			return nil, nil
		}
		if err != nil {
			unavailable, _ := db.explain(ctx, err)
			return nil, unavailable
		}
	}
	return found, nil
}
