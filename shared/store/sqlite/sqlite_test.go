package sqlite

import (
	"crypto/sha256"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/store/storetest"
)

func TestReopenKeepsRecords(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a name? with #odd %41 characters.db")
	db, err := Open(t.Context(), Config{Path: path, Synchronous: "FULL", Now: time.Now})
	require.NoError(t, err)
	_, err = db.Insert(t.Context(), storetest.Records(0, 5))
	require.NoError(t, err)
	require.NoError(t, db.Close())
	info, err := os.Stat(path)
	require.NoError(t, err, "the file has the name that was asked for")
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "records are its owner's alone")
	require.Equal(t, 5, count(t, openAt(t, path)))
}

// Every setting is what it must be, on the file and on both kinds of connection.
func TestSettings(t *testing.T) {
	db := open(t)
	for name, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "1", "auto_vacuum": "2", "busy_timeout": "0",
		"wal_autocheckpoint": "0", "application_id": "1112101974", "user_version": "4", "page_size": "2048", "integrity_check": "ok",
	} {
		require.Equal(t, want, pragmas{t, db.writer.conn}.get(name), name)
	}
	conn, err := db.Reader.pool.Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	require.Equal(t, "1", pragmas{t, conn}.get("query_only"))
	require.Equal(t, "400", pragmas{t, conn}.get("busy_timeout"))
	_, err = conn.ExecContext(t.Context(), "DELETE FROM profiling_data")
	require.Error(t, err, "a reader cannot write")
}

type pragmas struct {
	t    *testing.T
	conn *sql.Conn
}

func (p pragmas) get(name string) (value string) {
	require.NoError(p.t, p.conn.QueryRowContext(p.t.Context(), "PRAGMA "+name).Scan(&value))
	return value
}

// What is not a listener's database, or cannot be, is refused with the reason, and left as it was.
func TestFilesThatAreRefused(t *testing.T) {
	execute := func(statements string) func(*testing.T, string) {
		return func(t *testing.T, path string) { exec(t, path, statements) }
	}
	write := func(text string) func(*testing.T, string) {
		return func(t *testing.T, path string) { require.NoError(t, os.WriteFile(path, []byte(text), 0o600)) }
	}
	ours := func(change string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			db, err := Open(t.Context(), Config{Path: path, Synchronous: "NORMAL", Now: time.Now})
			require.NoError(t, err)
			require.NoError(t, db.Close())
			exec(t, path, change)
		}
	}
	for name, c := range map[string]struct {
		prepare func(*testing.T, string)
		reason  string
	}{
		"another program's database": {execute("CREATE TABLE t (a); PRAGMA user_version = 1"), "is not a listener's database; name another file"},
		"a text file":                {write(strings.Repeat("no database\n", 1000)), "the file is not a database"},
		"a short text file":          {write("no database"), "the file is not a database"},
		"a newer version's":          {ours("PRAGMA user_version = 5"), "was made by a newer version of the listener (schema 5, this one knows 4)"},
		"a folder":                   {func(t *testing.T, path string) { require.NoError(t, os.Mkdir(path, 0o700)) }, "is not a regular file"},
		"an unreleased version's":    {ours("PRAGMA user_version = 2"), "was made by a listener that was never released (schema 2, the oldest that this one knows is 3)"},
		"without auto_vacuum":        {execute("PRAGMA application_id = 1112101974; PRAGMA user_version = 3; CREATE TABLE t (a)"), "PRAGMA auto_vacuum is 0 and cannot be set to 2"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bitville.db")
			c.prepare(t, path)
			before, _ := os.ReadFile(path)
			_, err := Open(t.Context(), Config{Path: path, Synchronous: "NORMAL", Now: time.Now})
			require.ErrorContains(t, err, c.reason)
			after, _ := os.ReadFile(path)
			require.Equal(t, sha256.Sum256(before), sha256.Sum256(after), "the file was changed")
		})
	}
	_, err := Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "missing", "bitville.db"), Synchronous: "NORMAL", Now: time.Now})
	require.ErrorContains(t, err, "/missing is missing: make it for the user ")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Open(t.Context(), Config{Path: filepath.Join(t.TempDir(), "bitville.db"), Synchronous: "OFF", Now: time.Now})
	require.ErrorContains(t, err, `synchronous is "OFF": NORMAL or FULL`)
}

func TestLockedAtStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bitville.db")
	db, err := Open(t.Context(), Config{Path: path, Synchronous: "NORMAL", Now: time.Now})
	require.NoError(t, err)
	require.NoError(t, db.Close())
	other, err := sql.Open("sqlite", path+"?_pragma=locking_mode(EXCLUSIVE)")
	require.NoError(t, err)
	defer other.Close()
	_, err = other.Exec("BEGIN EXCLUSIVE; PRAGMA user_version = 1; COMMIT")
	require.NoError(t, err)
	_, err = Open(t.Context(), Config{Path: path, Synchronous: "NORMAL", Now: time.Now})
	require.Equal(t, "the database is locked by another process", whyNot(t, err))
}
