package torture

import (
	"encoding/base64"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

// A process that is killed at any moment has kept what it acknowledged, once, and listens again at once.
func TestKilledProcessLosesNothing(t *testing.T) {
	for n := range times(1, 40) {
		t.Run(strconv.Itoa(n), kill25)
	}
}

func kill25(t *testing.T) {
	l := listenertest.New(t, binary, "")
	l.Start(t)
	a := startAgents(t, l, 8, 10*time.Millisecond)
	var slowest time.Duration
	for range 25 {
		a.waitForMore(t, 50)
		time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
		require.Error(t, l.Stop(syscall.SIGKILL))
		start := time.Now()
		l.Start(t)
		slowest = max(slowest, time.Since(start))
		a.requireStored(t)
	}
	a.waitForMore(t, 50)
	a.stop()
	require.Positive(t, a.repeated.Load(), "no request met a killed process: the test proves nothing")
	a.requireStored(t)
	requireRollups(t, l)
	t.Logf("%d records acknowledged, %d requests sent again, listening again within %s", a.count(), a.repeated.Load(), slowest)
}

// requireRollups stops the listener and holds that the figures of hours, days and minutes are those that it makes of the
// records anew when they are gone.
func requireRollups(t *testing.T, l *listenertest.Listener) {
	t.Helper()
	query := func(statement string) [][]string { return sqlitetest.Query(t, l.DBPath, statement) }
	restart := func(between string) (figures [][]string) {
		require.NoError(t, l.Stop(syscall.SIGTERM))
		query(between)
		l.Start(t)
		require.Eventually(t, func() bool {
			return query("SELECT (SELECT last_id FROM profiling_rollup_mark WHERE project = '') IS (SELECT max(id) FROM profiling_data)")[0][0] == "1"
		}, 20*time.Second, 10*time.Millisecond, "the listener has caught up")
		figures = query("SELECT project, source, span, start, key, hex(cell) FROM profiling_rollup ORDER BY 1, 2, 3, 4, 5")
		figures = append(figures, query("SELECT project, source, minute, count, sum FROM profiling_minute ORDER BY 1, 2, 3")...)
		return append(figures, query("SELECT project, source, key, text, last_hour, last_day FROM profiling_name ORDER BY 1, 2, 3")...)
	}
	kept := restart("SELECT 1")
	require.NotEmpty(t, kept)
	require.Equal(t, restart("DROP TABLE profiling_rollup; DROP TABLE profiling_minute; DROP TABLE profiling_name; DROP TABLE profiling_rollup_mark"), kept)
}

// So has one that is killed with a long log, because a reader has held it, beside a large database.
func TestKilledWithALongLog(t *testing.T) {
	const profile = 1 << 20
	l := listenertest.New(t, binary, "")
	sqlitetest.Grow(t, l.DBPath, times(1000, 2_000_000), began.Add(-6*24*time.Hour), began)
	l.Start(t)
	a := startAgents(t, l, 4, 10*time.Millisecond)
	end := sqlitetest.Read(t, l.DBPath)
	random := rand.NewChaCha8([32]byte{})
	for i := 0; size(t, l.DBPath+"-wal") < 64<<20; i++ {
		bytes := make([]byte, profile*3/4)
		_, _ = random.Read(bytes)
		record := strings.Replace(phpRecordAt(1<<40+i, began), `{"main()":{"wt"`, `{"main()":"`+base64.StdEncoding.EncodeToString(bytes)+`","rest":{"wt"`, 1)
		status, answer := l.Post(strings.NewReader(record))
		require.Equal(t, 200, status, answer)
	}
	require.Error(t, l.Stop(syscall.SIGKILL))
	crashed := filepath.Join(t.TempDir(), "bitville.db")
	for _, suffix := range []string{"", "-wal"} {
		require.NoError(t, os.Rename(l.DBPath+suffix, crashed+suffix))
		require.NoError(t, exec.Command("cp", crashed+suffix, l.DBPath+suffix).Run())
	}
	end() // with which SQLite tidies up, what it has open
	require.NoError(t, os.Remove(l.DBPath+"-shm"))
	database, log := size(t, l.DBPath), size(t, l.DBPath+"-wal")
	start := time.Now()
	l.Start(t)
	t.Logf("a database of %d MiB with a log of %d MiB: listening again within %s", database>>20, log>>20, time.Since(start))
	a.waitForMore(t, 50)
	a.stop()
	a.requireStored(t)
}
