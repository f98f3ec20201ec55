package sqlite

import (
	"database/sql"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/bitville/listener/shared/rollup"
	"github.com/bitville/listener/shared/view"
)

// BenchmarkFlush writes what the records of half a minute come to. longest-cpu-ms is the longest transaction of it, which
// records wait for: CPU time of the writer's thread, for other programs disturb the time on the clock.
func BenchmarkFlush(b *testing.B) {
	for _, c := range []struct {
		name  string
		hours int64
		keys  int64
	}{{"4000-new-keys-of-one-hour", 1, 4000}, {"800-new-keys-in-each-of-5-hours", 5, 800}} {
		b.Run(c.name, func(b *testing.B) {
			db, err := Open(b.Context(), Config{Path: b.TempDir() + "/bitville.db", Synchronous: "NORMAL", Now: time.Now, Exclusive: true})
			require.NoError(b, err)
			defer db.Close()
			var longest, total, id int64
			for round := int64(0); b.Loop(); round++ {
				require.NoError(b, db.writer.do(b.Context(), func(*sql.Conn) error {
					runtime.LockOSThread()
					defer runtime.UnlockOSThread()
					r := db.writer.rollups
					for n := range c.keys * c.hours {
						id++
						r.deltas.Add(&rollup.Point{Series: rollup.Series{Project: "shop", Source: view.Postgres}, Key: fmt.Sprintf("%016x", uint64(n)*0x9e3779b97f4a7c15),
							Text: fmt.Sprintf("SELECT p.id, p.name, p.price FROM products p WHERE p.category_id = %d AND p.name LIKE 'Item 1%%' LIMIT 20", n), Time: (round*c.hours + n%c.hours) * 3600, Micros: n}, id)
					}
					for r.begin(); len(r.round) > 0; {
						start := threadTime(b)
						r.step()
						longest = max(longest, threadTime(b)-start)
						total += threadTime(b) - start
					}
					return nil
				}))
			}
			b.ReportMetric(float64(longest)/1e6, "longest-cpu-ms")
			b.ReportMetric(float64(total)/1e3/float64(id), "cpu-µs/cell")
		})
	}
}

// threadTime is the CPU time of this thread: nanoseconds.
func threadTime(b *testing.B) int64 {
	var now unix.Timespec
	require.NoError(b, unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now))
	return now.Nano()
}
