package walfile

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"github.com/bitville/listener/shared/store/storetest"
)

// open opens a file by the VFS when it may be written.
func open(t *testing.T, path, mode string) *sql.DB {
	t.Helper()
	query := url.Values{"mode": {mode}}
	if mode != "ro" {
		name, err := Register()
		require.NoError(t, err)
		query.Set("vfs", name)
	}
	db, err := sql.Open("sqlite", "file:"+path+"?"+query.Encode())
	require.NoError(t, err)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// What the VFS takes for granted of the driver is so. When this fails, a new version of modernc.org/sqlite lays out its
// structures otherwise: read it, then mend layout and the VFS.
func TestLayout(t *testing.T) {
	require.NoError(t, checkLayout())
}

// A layout that is another is told, with what it is.
func TestLayoutOfAnotherDriver(t *testing.T) {
	known := layout[0].want
	defer func() { layout[0].want = known }()
	layout[0].want = "FpMethods:8 16"
	require.EqualError(t, checkLayout(), `the driver's sqlite3_file is laid out as "FpMethods:0 8", not as "FpMethods:8 16"`)
}

// What another connection sees is what was committed, whole, however the WAL came to be: transactions that don't fit
// the cache, pages that are written again within one, savepoints and rollbacks, with and without syncs.
func TestGathered(t *testing.T) {
	for _, synchronous := range []string{"OFF", "NORMAL", "FULL", "EXTRA"} {
		t.Run(synchronous, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.db")
			require.NoError(t, os.WriteFile(path, nil, 0o600))
			pool, plain := open(t, path, "rw"), open(t, path, "ro")
			conn, err := pool.Conn(t.Context())
			require.NoError(t, err)
			defer conn.Close()
			exec := func(statement string) {
				t.Helper()
				_, err := conn.ExecContext(t.Context(), statement)
				require.NoError(t, err)
			}
			sees := func(want string) {
				t.Helper()
				rows := storetest.Text(t, plain, "SELECT count(*), coalesce(sum(n), 0), coalesce(sum(length(text)), 0) FROM t")
				require.Equal(t, want, strings.Join(rows[0], " "))
				require.Equal(t, [][]string{{"ok"}}, storetest.Text(t, plain, "PRAGMA integrity_check"))
			}
			exec("PRAGMA page_size = 2048; PRAGMA journal_mode = wal; PRAGMA wal_autocheckpoint = 0; PRAGMA cache_size = 20; PRAGMA synchronous = " + synchronous)
			exec("CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT); CREATE INDEX i ON t (text)")
			const thousand = "WITH RECURSIVE s (n) AS (SELECT %d UNION ALL SELECT n + 1 FROM s WHERE n < %d) INSERT INTO t SELECT n, printf('%%.500c', 'x') || n FROM s"
			exec("BEGIN")
			exec(fmt.Sprintf(thousand, 1, 1000))
			sees("0 0 0")
			exec("SAVEPOINT a; UPDATE t SET text = 'short'; ROLLBACK TO a; UPDATE t SET text = text || '!' WHERE n % 3 = 0")
			sees("0 0 0")
			exec("COMMIT")
			sees("1000 500500 503226")
			exec("BEGIN; UPDATE t SET text = ''; DELETE FROM t WHERE n > 10; ROLLBACK")
			sees("1000 500500 503226")
			for range 3 { // the WAL begins anew between them
				exec("PRAGMA wal_checkpoint(RESTART); UPDATE t SET text = text || 'y'; DELETE FROM t WHERE n > 1000; INSERT INTO t VALUES (1001, 'one')")
			}
			sees("1001 501501 506229")
		})
	}
}

// A transaction of many pages takes few system calls.
func TestTransactionIsOneWrite(t *testing.T) {
	calls := func() (n int) {
		text, err := os.ReadFile("/proc/self/io")
		if err != nil {
			t.Skip("needs /proc/self/io, of Linux")
		}
		_, rest, _ := strings.Cut(string(text), "syscw: ")
		_, err = fmt.Sscan(rest, &n)
		require.NoError(t, err)
		return n
	}
	db := open(t, filepath.Join(t.TempDir(), "a.db"), "rwc")
	_, err := db.Exec("PRAGMA page_size = 2048; PRAGMA journal_mode = wal; CREATE TABLE t (text TEXT)")
	require.NoError(t, err)
	before := calls()
	_, err = db.Exec("WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 500) INSERT INTO t SELECT printf('%.1900c', 'x') FROM s")
	require.NoError(t, err)
	require.Less(t, calls()-before, 500, "over 500 pages, with a call for the header and one for the page")
}
