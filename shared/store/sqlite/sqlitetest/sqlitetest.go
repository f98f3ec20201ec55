// Package sqlitetest gives tests a real database in a temporary folder.
package sqlitetest

import (
	"database/sql"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/store/sqlite"
)

// New opens a new database, which is closed when the test ends, and tells where its file is.
func New(t testing.TB) (db *sqlite.DB, path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "bitville.db")
	return Open(t, path), path
}

// Open opens the database in a file, which is closed when the test ends.
func Open(t testing.TB, path string) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, Synchronous: "NORMAL", Now: time.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// Query runs a statement on a database file, beside whoever has it open, and returns the rows as text. NULL is "".
func Query(t testing.TB, path, statement string, args ...any) [][]string {
	t.Helper()
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: "_pragma=busy_timeout(5000)"}
	db, err := sql.Open("sqlite", dsn.String())
	require.NoError(t, err)
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), statement, args...)
	require.NoError(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	require.NoError(t, err)
	var all [][]string
	for rows.Next() {
		texts := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
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
