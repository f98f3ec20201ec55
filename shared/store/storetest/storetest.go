// Package storetest gives the tests of every store the same records, and reads rows back as text.
package storetest

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
)

var start = time.Now().UnixMicro()

// Record is the n-th of many different records of the time when the test began, of both sources in turn.
func Record(n int) record.Record {
	ms := float64(n) + 0.1
	return record.Record{
		CorrelationID: fmt.Sprintf("00000000-0000-4000-8000-%012x", n),
		Project:       "shop",
		Source:        []string{"php_agent", "postgres_agent"}[n%2],
		Timestamp:     start - int64(n),
		DurationMS:    &ms,
		Name:          fmt.Sprint("/page/", n),
		Payload:       []byte(`{"main()":{"wt":1}}`),
		Digest:        int64(n) * 7919,
	}
}

// Records are those from one number up to another.
func Records(from, to int) (all []record.Record) {
	for n := from; n < to; n++ {
		all = append(all, Record(n))
	}
	return all
}

// Text runs a query and returns its rows as text. NULL is "".
func Text(t testing.TB, db *sql.DB, query string, args ...any) (all [][]string) {
	t.Helper()
	rows, err := db.Query(query, args...)
	require.NoError(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(t, err)
	for rows.Next() {
		texts, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range texts {
			into[i] = &texts[i]
		}
		require.NoError(t, rows.Scan(into...))
		row := make([]string, len(columns))
		for i := range texts {
			row[i] = texts[i].String
		}
		all = append(all, row)
	}
	require.NoError(t, rows.Err())
	return all
}
