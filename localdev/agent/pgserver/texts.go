package pgserver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// texts are the statements that pg_stat_statements keeps, by query id: with $1 in the place of values. They are asked for
// once. Its methods may be called from any goroutine.
type texts struct {
	mu  sync.Mutex
	all map[string]string
}

// maxTexts bounds what is kept.
const maxTexts = 20_000

func (t *texts) of(queryID string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all[queryID]
}

// load asks for the texts that are not known yet.
func (t *texts) load(ctx context.Context, db *DB, schema string, keys []rowKey) error {
	var ids []string
	for _, key := range keys {
		if t.of(key.query) == "" {
			ids = append(ids, key.query)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	r, err := db.query(ctx, `SELECT DISTINCT ON (queryid) queryid, query FROM `+schema+`.pg_stat_statements
		WHERE queryid = ANY ($1::bigint[]) AND query IS NOT NULL ORDER BY queryid, query`, "{"+strings.Join(ids, ",")+"}")
	if err != nil {
		return fmt.Errorf("read the texts of pg_stat_statements: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil || len(t.all) > maxTexts {
		t.all = make(map[string]string)
	}
	for i := range r.rows {
		t.all[r.text(i, 0)] = r.text(i, 1)
	}
	return nil
}

// normalised returns the text of a query id, "" where there is none or none can be asked for.
func (t *texts) normalised(ctx context.Context, db *DB, queryID string) string {
	if text := t.of(queryID); text != "" {
		return text
	}
	schema, err := schemaOf(ctx, db)
	if err != nil || t.load(ctx, db, schema, []rowKey{{query: queryID}}) != nil {
		return ""
	}
	return t.of(queryID)
}

// schemaOf is where the extension is, quoted.
func schemaOf(ctx context.Context, db *DB) (string, error) {
	r, err := db.query(ctx, `SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'`)
	if err != nil {
		return "", err
	}
	if len(r.rows) == 0 {
		return "", errors.New("the extension pg_stat_statements is not in this database; run: CREATE EXTENSION pg_stat_statements; or set --statements-interval 0")
	}
	return r.text(0, 0), nil
}
