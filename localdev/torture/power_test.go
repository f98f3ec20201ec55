package torture

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
	"github.com/bitville/listener/shared/store/sqlite/faultvfs"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

func traceOf(l *listenertest.Listener) string { return filepath.Join(filepath.Dir(l.DBPath), "trace") }

// A power cut takes what no sync has covered, or any part of it, torn at sectors. With FULL nothing that was acknowledged is
// among that; with NORMAL the last records may be, those of a second at most. The database opens and is whole.
//
// The binary keeps a trace of all that SQLite writes and syncs. The test goes through it to points that it draws, makes
// of what was certain then, and of a part of what was not, the files that would be found, and opens them.
func TestPowerCut(t *testing.T) {
	for _, synchronous := range []string{"FULL", "NORMAL"} {
		t.Run(synchronous, func(t *testing.T) {
			l := listenertest.New(t, binary, "")
			env := []string{"TORTURE_TRACE=" + traceOf(l), "BITVILLE_DB_SYNCHRONOUS=" + synchronous}
			l.Start(t, env...)
			a := startAgents(t, l, 8, 100*time.Millisecond)
			for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGKILL} {
				a.waitForMore(t, 100)
				time.Sleep(time.Duration(times(1500, 15000)) * time.Millisecond) // for checkpoints, and logs that begin anew
				_ = l.Stop(signal)
				l.Start(t, env...)
			}
			a.waitForMore(t, 100)
			a.stop()
			require.NoError(t, l.Stop(syscall.SIGTERM))
			ops, err := faultvfs.ReadTrace(traceOf(l))
			require.NoError(t, err)
			cuts := make([]int, times(30, 500))
			for i := range cuts {
				cuts[i] = rand.IntN(len(ops))
			}
			for i := range 30 { // in which the file is made
				cuts = append(cuts, i)
			}
			slices.Sort(cuts)
			p := &powerTest{a, ids(t, l.DBPath), synchronous == "FULL", t.TempDir(), 0, 0}
			d := newDisk()
			for i, op := range ops {
				d.do(op)
				for len(cuts) > 0 && cuts[0] == i {
					p.requireKept(t, d, op, way(len(cuts))%ways)
					cuts = cuts[1:]
				}
			}
			t.Logf("%d steps of SQLite, %d records acknowledged, %d of them lost in one cut or another, the oldest %s before", len(ops), a.count(), p.lost, p.oldest)
		})
	}
}

// ids are those of the records of a database, by their names.
func ids(t testing.TB, path string) map[string]int {
	t.Helper()
	ids := make(map[string]int)
	for _, row := range sqlitetest.Query(t, path, "SELECT name, id FROM profiling_data") {
		id, err := strconv.Atoi(row[1])
		require.NoError(t, err)
		require.Zero(t, ids[row[0]], "%s is stored twice", row[0])
		ids[row[0]] = id
	}
	return ids
}

// powerTest is what cuts are held against.
type powerTest struct {
	*agents
	ids    map[string]int // those of the records in the end
	full   bool
	dir    string
	lost   int
	oldest time.Duration
}

// requireKept opens what a cut after the op would have left, and holds it against what was acknowledged by then.
func (p *powerTest) requireKept(t *testing.T, d *disk, op faultvfs.Op, w way) {
	t.Helper()
	dir, err := os.MkdirTemp(p.dir, "")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	for name, content := range d.cut(w) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, filepath.Base(name)), content, 0o600))
	}
	path := filepath.Join(dir, filepath.Base(p.listener.DBPath))
	require.NoError(t, sqlitetest.Open(t, path).Close())
	require.Equal(t, [][]string{{"ok"}}, sqlitetest.Query(t, path, "PRAGMA integrity_check"))

	kept := ids(t, path)
	last := 0
	for name, id := range kept {
		last = max(last, id)
		if p.ids[name] != id {
			t.Fatalf("%s has the id %d, and had %d", name, id, p.ids[name])
		}
	}
	for name, id := range p.ids {
		if id < last && kept[name] == 0 {
			t.Fatalf("%s is lost, which was stored before record %d, and that is there", name, last)
		}
	}
	for n, told := range p.acknowledged {
		if told.trace > op.End || kept[fmt.Sprint("/page/", n)] > 0 {
			continue
		}
		age := op.At.Sub(told.at)
		require.False(t, p.full, "record %d was acknowledged %s before the cut", n, age)
		require.Less(t, age, time.Second+d.slowest, "record %d", n)
		p.lost++
		p.oldest = max(p.oldest, age)
	}
}
