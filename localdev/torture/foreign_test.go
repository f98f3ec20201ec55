package torture

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

// requireRefusal waits until a record is refused for the reason.
func requireRefusal(t *testing.T, l *listenertest.Listener, says string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		status, answer := l.Post(body(1<<40 + rand.IntN(1<<40)))
		assert.Equal(c, 503, status)
		assert.Regexp(c, says, answer)
	}, 5*time.Second, 10*time.Millisecond)
}

// Another process has the database locked, for three seconds.
func TestLockedDatabase(t *testing.T) {
	l := listenertest.New(t, binary, "")
	l.Start(t)
	a := startAgents(t, l, 4, 10*time.Millisecond)
	a.waitForMore(t, 50)
	unlock := sqlitetest.Lock(t, l.DBPath)
	requireRefusal(t, l, "locked by another process")
	status, _, answer := l.Do("GET", "/ready", nil)
	require.Equal(t, 503, status)
	require.Contains(t, answer, "locked by another process")
	time.Sleep(3 * time.Second)
	unlock()
	a.waitForMore(t, 50)
	a.stop()
	require.Positive(t, a.repeated.Load())
	a.requireStored(t)
}

// A database file that somebody removes or replaces, the listener says so until it is started again, and touches neither file.
func TestReplacedDatabase(t *testing.T) {
	for name, replace := range map[string]func(t *testing.T, path string){
		"removed": func(*testing.T, string) {},
		"by a database": func(t *testing.T, path string) {
			require.NoError(t, sqlitetest.Open(t, path).Close())
		},
		"by another file": func(t *testing.T, path string) {
			require.NoError(t, os.WriteFile(path, []byte("a text"), 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := listenertest.New(t, binary, "")
			l.Start(t)
			a := startAgents(t, l, 4, 10*time.Millisecond)
			a.waitForMore(t, 50)
			aside := t.TempDir()
			for _, suffix := range []string{"", "-wal", "-shm"} {
				require.NoError(t, os.Rename(l.DBPath+suffix, filepath.Join(aside, "bitville.db"+suffix)))
			}
			replace(t, l.DBPath)
			before, _ := os.ReadFile(l.DBPath)
			requireRefusal(t, l, "removed or replaced; restart the listener")
			a.stop()
			_ = l.Stop(syscall.SIGTERM)
			after, _ := os.ReadFile(l.DBPath)
			require.Equal(t, before, after)

			for _, suffix := range []string{"", "-wal", "-shm"} { // what was taken away holds all that was acknowledged
				_ = os.Remove(l.DBPath + suffix)
				if _, err := os.Stat(filepath.Join(aside, "bitville.db"+suffix)); err == nil {
					require.NoError(t, os.Rename(filepath.Join(aside, "bitville.db"+suffix), l.DBPath+suffix))
				}
			}
			l.Start(t)
			a.requireStored(t)
		})
	}
}

// What a listener must not use as its database it refuses in one line that names the setting, and leaves as it is.
func TestFilesThatAreRefused(t *testing.T) {
	good := listenertest.New(t, binary, "")
	good.Start(t)
	a := startAgents(t, good, 2, 0)
	a.waitForMore(t, 500)
	a.stop()
	require.NoError(t, good.Stop(syscall.SIGTERM))
	content, err := os.ReadFile(good.DBPath)
	require.NoError(t, err)
	change := func(do func([]byte) []byte) []byte { return do(append([]byte(nil), content...)) }
	for name, c := range map[string]struct {
		content []byte
		says    string
	}{
		"garbage in the header": {change(func(b []byte) []byte { copy(b, "no header is like this one"); return b }), "the file is not a database"},
		"garbage in a page": {change(func(b []byte) []byte {
			for i := range b[100:2048] {
				b[100+i] = 0xa5
			}
			return b
		}), "the database is damaged"},
		"cut in the middle": {content[:len(content)/2], "the database is damaged"},
		"a newer schema":    {change(func(b []byte) []byte { b[63] = 200; return b }), "was made by a newer version of the listener"},
		"another program's": {change(func(b []byte) []byte { b[68] = 1; return b }), "is not a listener's database"},
	} {
		t.Run(name, func(t *testing.T) {
			l := listenertest.New(t, binary, "")
			require.NoError(t, os.WriteFile(l.DBPath, c.content, 0o600))
			l.Launch(t)
			select {
			case <-l.Exit:
			case <-time.After(10 * time.Second):
				t.Fatal("it has started")
			}
			require.Equal(t, 1, l.Cmd.ProcessState.ExitCode())
			require.Regexp(t, `^listener: open the database .* \(BITVILLE_DB_PATH\): [^\n]*`+c.says+`[^\n]*\n$`, l.Log.String())
			after, err := os.ReadFile(l.DBPath)
			require.NoError(t, err)
			require.True(t, string(c.content) == string(after), "the file has changed")
		})
	}
}

// A file that is cut, or overwritten, under a listener is told to whoever sends or asks; the process lives.
func TestDamagedWhileRunning(t *testing.T) {
	for name, damage := range map[string]func(f *os.File) error{
		"cut":     func(f *os.File) error { return f.Truncate(4096) },
		"garbage": func(f *os.File) error { _, err := f.WriteAt(make([]byte, 8192), 0); return err },
	} {
		t.Run(name, func(t *testing.T) {
			l := listenertest.New(t, binary, "")
			l.Start(t)
			a := startAgents(t, l, 4, 10*time.Millisecond)
			a.waitForMore(t, 2000)
			require.NoError(t, l.Stop(syscall.SIGTERM)) // for the records to be in the file, and not in the log
			l.Start(t)
			f, err := os.OpenFile(l.DBPath, os.O_RDWR, 0)
			require.NoError(t, err)
			require.NoError(t, damage(f))
			require.NoError(t, f.Close())
			requireRefusal(t, l, "cut or overwritten|damaged|not a database")
			status, _, answer := l.Do("GET", "/health", nil)
			require.Equal(t, 200, status, answer)
			status, _, answer = l.Do("GET", "/ready", nil)
			require.Equal(t, 503, status, answer)
			a.stop()
			_ = l.Stop(syscall.SIGTERM)
		})
	}
}

// Two listeners would divide what is sent between two queues and two purges: the second does not start. When the first is
// killed the next starts at once.
func TestSecondListener(t *testing.T) {
	first := listenertest.New(t, binary, "")
	first.Start(t)
	a := startAgents(t, first, 4, 10*time.Millisecond)
	a.waitForMore(t, 50)
	second := listenertest.New(t, binary, "")
	second.DBPath = first.DBPath
	second.Launch(t)
	require.Error(t, <-second.Exit)
	require.Equal(t, "listener: open the database "+first.DBPath+" (BITVILLE_DB_PATH): another listener serves it; stop that one first, or name another file\n", second.Log.String())
	a.waitForMore(t, 50)
	a.stop()
	require.Zero(t, a.repeated.Load(), "the first goes on undisturbed")
	require.Error(t, first.Stop(syscall.SIGKILL))
	second.CAFile = first.CAFile
	second.Start(t)
	a.requireStored(t)
}
