package postgresagent

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/postgrestest"
)

// uuid is the n-th id of a test.
func uuid(n int) string { return fmt.Sprintf("3f2c8a5e-9d4b-4c1f-a6e0-%012d", n) }

// TestNothingLost writes statements without a pause, while the log rotates twice in a second, PostgreSQL starts anew, the
// listener is away, and the agent is killed: each statement is stored once, under its id.
func TestNothingLost(t *testing.T) {
	postgrestest.Require(t)
	for _, format := range []string{"jsonlog", "csvlog", "stderr"} {
		t.Run(format, func(t *testing.T) {
			pg := postgrestest.Start(t, "auto_explain.log_min_duration = 0\nlog_destination = "+format+"\nlog_filename = 'postgres-%H%M%S.log'\nlog_line_prefix = '%m [%p] %c %l %Q %q%u@%d/%a '")
			pg.SQL(t, "CREATE FUNCTION twice(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT sum(x) FROM generate_series(1, n) x); END $$")
			l := startListener(t)
			a := l.StartAgent(t, "postgres", "--log", pg.Dir, "--format", format)
			var want []string
			page := func() {
				id := uuid(len(want))
				pg.SQL(t, fmt.Sprintf("/*correlation_id='%s'*/ SELECT twice(%d);", id, len(want)))
				want = append(want, id)
			}
			var rotating sync.WaitGroup
			for i := range 8 {
				page()
				page()
				rotating.Go(func() { pg.SQL(t, "SELECT pg_rotate_logfile()") })
				page()
				rotating.Go(func() { pg.SQL(t, "SELECT pg_rotate_logfile()") })
				page()
				switch i {
				case 0, 2, 6:
					a.Kill(t)
					page()
					a.Start(t)
				case 1, 4:
					rotating.Wait()
					pg.Restart(t)
				case 3:
					_ = l.Stop(os.Kill)
					page()
					time.Sleep(100 * time.Millisecond)
					l.Start(t)
				case 5:
					a.Stop(t)
					page()
					a.Start(t)
				}
				time.Sleep(300 * time.Millisecond)
			}
			rotating.Wait()
			rows := stored(t, l, 2*len(want)+16, "correlation_id, name, attributes ->> 'nested'")
			pages := map[string][]string{}
			for _, row := range rows {
				if row[1] != "SELECT pg_rotate_logfile()" {
					pages[row[0]] = append(pages[row[0]], row[2])
				}
			}
			require.Len(t, pages, len(want))
			for i, id := range want {
				slices.Sort(pages[id])
				require.Equal(t, []string{"", "1"}, pages[id], "page %d", i)
			}
		})
	}
}
