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
	"github.com/bitville/listener/shared/store/storetest"
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
	return storetest.Text(t, db, statement, args...)
}
