package torture

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// A file that another program cuts, or whose header it overwrites, under the listener is told to whoever sends or asks; the process lives,
// and what is left stays as it is, its log too, whether the listener is busy then or not, and also when it ends.
func TestDamagedWhileRunning(t *testing.T) {
	content := func(t *testing.T, l *listenertest.Listener) []byte {
		b, err := os.ReadFile(l.DBPath)
		require.NoError(t, err)
		return b
	}
	for name, damage := range map[string]func(t *testing.T, f *os.File) error{
		"cut to nothing":  func(_ *testing.T, f *os.File) error { return f.Truncate(0) },
		"cut to one page": func(_ *testing.T, f *os.File) error { return f.Truncate(2048) },
		"cut by little": func(t *testing.T, f *os.File) error {
			info, err := f.Stat()
			require.NoError(t, err)
			return f.Truncate(info.Size() - 100_000)
		},
		"garbage": func(_ *testing.T, f *os.File) error {
			_, err := f.WriteAt(make([]byte, 8192), 0)
			return err
		},
	} {
		for _, pause := range []time.Duration{0, time.Second} {
			t.Run(fmt.Sprintf("%s, a request in %s", name, pause), func(t *testing.T) {
				t.Parallel()
				l := listenertest.New(t, binary, "")
				l.Start(t)
				a := startAgents(t, l, 4, 10*time.Millisecond)
				a.waitForMore(t, 1000)
				require.NoError(t, l.Stop(syscall.SIGTERM)) // for the records to be in the file, and not in the log
				older := content(t, l)
				l.Start(t)
				a.waitForMore(t, 500)
				require.Eventually(t, func() bool {
					info, err := os.Stat(l.DBPath)
					return err == nil && info.Size() > int64(len(older)) && time.Since(info.ModTime()) > 100*time.Millisecond
				}, 10*time.Second, time.Millisecond, "between two checkpoints")
				if pause > 0 {
					a.stop()
					status, answer := l.Post(body(1 << 41))
					require.Equal(t, 200, status, answer)
					time.Sleep(pause)
				}
				f, err := os.OpenFile(l.DBPath, os.O_RDWR, 0)
				require.NoError(t, err)
				require.NoError(t, damage(t, f))
				require.NoError(t, f.Close())
				left := content(t, l)
				requireRefusal(t, l, "cut or overwritten")
				status, _, answer := l.Do("GET", "/health", nil)
				require.Equal(t, 200, status, answer)
				status, _, answer = l.Do("GET", "/ready", nil)
				require.Equal(t, 503, status, answer)
				log, err := os.ReadFile(l.DBPath + "-wal")
				require.NoError(t, err)
				require.NotEmpty(t, log)
				if pause == 0 {
					a.stop()
				}
				require.Error(t, l.Stop(syscall.SIGTERM))
				unchanged := func() {
					require.True(t, string(left) == string(content(t, l)), "the file was written to")
					after, err := os.ReadFile(l.DBPath + "-wal")
					require.NoError(t, err)
					require.True(t, string(log) == string(after), "the log was written to")
				}
				unchanged()
				if strings.HasPrefix(name, "cut") {
					l.Launch(t)
					var listening struct{ Addr string }
					require.Eventually(t, func() bool {
						return l.Log.Find("listening", &listening) || strings.Contains(l.Log.String(), "listener: ")
					}, 10*time.Second, time.Millisecond)
					if listening.Addr != "" { // the log had all that was cut
						a.requireStored(t)
						return
					}
					require.Error(t, <-l.Exit)
					require.Regexp(t, `the database is damaged|is empty, but has a log`, l.Log.String())
					unchanged()
				}
			})
		}
	}
}

// Other programs may copy the log into the database, write and read, through SQLite: that is no foreign hand, whether the
// listener is busy meanwhile or not.
func TestCheckpointsByOthers(t *testing.T) {
	for _, pause := range []time.Duration{0, 10 * time.Millisecond, 700 * time.Millisecond} {
		t.Run(fmt.Sprintf("agents that pause for %s", pause), func(t *testing.T) {
			t.Parallel()
			l := listenertest.New(t, binary, "")
			l.Start(t)
			a := startAgents(t, l, 4, pause)
			modes := []string{"PASSIVE", "FULL", "RESTART", "TRUNCATE"}
			for end := time.Now().Add(time.Duration(times(6, 120)) * time.Second); time.Now().Before(end); {
				sqlitetest.Query(t, l.DBPath, "PRAGMA wal_checkpoint("+modes[rand.IntN(len(modes))]+")")
				if rand.IntN(2) == 0 {
					sqlitetest.Query(t, l.DBPath, "UPDATE profiling_data SET name = name WHERE id = (SELECT max(id) FROM profiling_data)")
				}
				time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
			}
			a.stop()
			require.NotContains(t, l.Log.String(), "overwritten")
			a.requireStored(t)
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

// A database that was made read-only, so that not even root may write to it, is told until it may be written to again, and
// also at the start.
func TestReadOnlyDatabase(t *testing.T) {
	for _, suffix := range []string{"", "-wal"} {
		t.Run("bitville.db"+suffix, func(t *testing.T) {
			l := listenertest.New(t, binary, "")
			l.Start(t)
			chattr := func(flag string) error {
				out, err := exec.Command("chattr", flag, l.DBPath+suffix).CombinedOutput()
				if err != nil {
					return fmt.Errorf("%w: %s", err, out)
				}
				return nil
			}
			a := startAgents(t, l, 4, 10*time.Millisecond)
			a.waitForMore(t, 50)
			if err := chattr("+i"); err != nil {
				a.stop()
				if os.Getenv("CI") == "true" {
					t.Fatal(err)
				}
				t.Skipf("SKIP: a file can be made immutable by root alone, and on ext4, xfs or btrfs (%v)", err)
			}
			t.Cleanup(func() { _ = chattr("-i") })
			requireRefusal(t, l, "the database is read-only")
			status, _, answer := l.Do("GET", "/ready", nil)
			require.Equal(t, 503, status, answer)
			require.NoError(t, chattr("-i"))
			a.waitForMore(t, 50)
			a.stop()
			a.requireStored(t)

			require.NoError(t, l.Stop(syscall.SIGTERM))
			if suffix == "" {
				require.NoError(t, chattr("+i"))
				l.Launch(t)
				require.Error(t, <-l.Exit)
				require.Regexp(t, `^listener: open the database .* \(BITVILLE_DB_PATH\): [^\n]*the database is read-only[^\n]*\n$`, l.Log.String())
				require.NoError(t, chattr("-i"))
			}
		})
	}
}
