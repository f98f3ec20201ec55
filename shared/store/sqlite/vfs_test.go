package sqlite

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/store/storetest"
)

// What another connection sees is what was committed, whole, however the log came to be: transactions that don't fit
// the cache, pages that are written again within one, savepoints and rollbacks, with and without syncs.
func TestGatheredLog(t *testing.T) {
	for _, synchronous := range []string{"OFF", "NORMAL", "FULL", "EXTRA"} {
		t.Run(synchronous, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "a.db")
			require.NoError(t, os.WriteFile(path, nil, 0o600))
			pool, plain := openWriter(path), openPool(path, "ro", 1)
			defer pool.Close()
			defer plain.Close()
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
			for range 3 { // the log begins anew between them
				_, _, err := checkpoint(t.Context(), conn, "RESTART")
				require.NoError(t, err)
				exec("UPDATE t SET text = text || 'y'; DELETE FROM t WHERE n > 1000; INSERT INTO t VALUES (1001, 'one')")
			}
			sees("1001 501501 506229")
		})
	}
}

// A transaction of many pages takes few system calls.
func TestLogIsGathered(t *testing.T) {
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
	db := open(t)
	require.NoError(t, db.do(t.Context(), func(*sql.Conn) error { return nil }))
	records := storetest.Records(0, 500)
	for i := range records {
		records[i].Payload = []byte(`{"a":"` + strings.Repeat("x", 1900) + `"}`)
	}
	before := calls()
	_, err := db.Insert(t.Context(), records)
	require.NoError(t, err)
	require.Less(t, calls()-before, 500, "over 500 pages, with a call for the header and one for the page")
}
