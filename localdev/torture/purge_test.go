package torture

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

// Millions of records expire at once. The process that deletes them is killed again and again, takes records all the while
// and about as quickly as ever, loses none that has not expired, and keeps none that has; the file gets small.
func TestPurgeOfMillions(t *testing.T) {
	const day = 24 * time.Hour
	expired, kept := times(50_000, 10_000_000), times(1000, 100_000)
	l := listenertest.New(t, binary, "")
	start := time.Now()
	sqlitetest.Grow(t, l.DBPath, expired, start.Add(-20*day), start.Add(-8*day))
	sqlitetest.Grow(t, l.DBPath, kept, start.Add(-6*day), start)
	full := size(t, l.DBPath)
	t.Logf("%d expired records made within %s, %d MiB", expired, time.Since(start).Round(time.Second), full>>20)

	l.Start(t, "BITVILLE_RETENTION=720h") // by which they are not
	a := startAgents(t, l, 8, 10*time.Millisecond)
	quiet := a.p99After(times(2, 30))
	require.NoError(t, l.Stop(syscall.SIGTERM))
	counted := func(where string) int {
		n, err := strconv.Atoi(sqlitetest.Query(t, l.DBPath, "SELECT count(*) FROM profiling_data WHERE "+where)[0][0])
		require.NoError(t, err)
		return n
	}
	old := fmt.Sprintf("timestamp < %d", start.Add(-7*day).UnixMicro())
	require.Equal(t, expired, counted(old))

	for range times(3, 25) {
		l.Start(t) // which purges
		time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
		require.Error(t, l.Stop(syscall.SIGKILL))
	}
	left := counted(old)
	require.Less(t, left, expired)
	require.Positive(t, left, "no kill met the purge: the test proves nothing")

	l.Start(t)
	a.p99()
	begun := time.Now()
	var done purged
	require.Eventually(t, func() bool { done = purgedBy(l); return done.Rows >= left }, 20*time.Minute, 50*time.Millisecond)
	busy := a.p99()
	t.Logf("%d of them deleted after %d kills within %s, a step took at most %.1f ms; p99 of the answers %s before, %s meanwhile",
		done.Rows, times(3, 25), time.Since(begun).Round(time.Millisecond), done.Longest, quiet, busy)
	require.Positive(t, done.Longest)
	if *long {
		require.LessOrEqual(t, done.Longest, 100.0)
		require.LessOrEqual(t, busy, 2*quiet)
	}
	a.stop()
	require.Zero(t, counted(old))
	require.Equal(t, kept, counted("name LIKE '/page/of/old/%'"))
	a.requireStored(t)
	// What the agents stored meanwhile takes less than a KiB a record, its indexes included.
	most := full/2 + int64(a.count())<<10
	require.Eventually(t, func() bool { return size(t, l.DBPath) < most }, 30*time.Second, 50*time.Millisecond)
}

// purged is what the log says of purges.
type purged struct {
	Rows    int     `json:"rows_deleted"`
	Longest float64 `json:"longest_step_ms"`
}

// purgedBy sums up what those have done that came to their end since the listener started.
func purgedBy(l *listenertest.Listener) (all purged) {
	for line := range strings.Lines(l.Log.String()) {
		var one purged
		if strings.Contains(line, `"msg":"purge"`) && json.Unmarshal([]byte(line), &one) == nil {
			all.Rows += one.Rows
			all.Longest = max(all.Longest, one.Longest)
		}
	}
	return all
}

// p99After is the p99 of so many seconds from now.
func (a *agents) p99After(seconds int) time.Duration {
	a.p99()
	time.Sleep(time.Duration(seconds) * time.Second)
	return a.p99()
}

func size(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Size()
}
