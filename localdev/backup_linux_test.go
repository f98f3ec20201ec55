package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

// requireRefused runs a command that must end with 1 and one line that says why.
func requireRefused(t *testing.T, want string, env []string, args ...string) {
	t.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	require.Error(t, err, "%q: %s", args, out)
	require.Equal(t, 1, cmd.ProcessState.ExitCode(), "%q: %s", args, out)
	require.Equal(t, 1, bytes.Count(out, []byte("\n")), "%q: %s", args, out)
	require.Contains(t, string(out), want, "%q", args)
}

func listed(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// A name under which no backup can be is told in one line, with what to do.
func TestBackupNames(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	sqlitetest.Grow(t, in("a.db"), 10, time.Now(), time.Now())
	require.NoError(t, os.Mkdir(in("folder"), 0o700))
	require.NoError(t, os.Symlink(in("a.db"), in("link.db")))
	require.NoError(t, os.Symlink(in("nowhere"), in("dangling")))
	before := listed(t, dir)
	env := []string{"BITVILLE_DB_PATH=" + in("a.db")}
	for _, c := range []struct{ to, want string }{
		{"", "the name is empty"},
		{"-", "not written to standard output; name a new file"},
		{in("a.db"), "that is the database itself"},
		{in("link.db"), "that is the database itself"},
		{in("a.db-wal"), "one of the files that SQLite keeps beside a database"},
		{in("a.db-shm"), "one of the files that SQLite keeps beside a database"},
		{in("link.db-journal"), "one of the files that SQLite keeps beside a database"},
		{in("a.db/y"), "a.db is a file and no folder"},
		{in("a.db/y/z"), "not a directory"},
		{in("dangling"), "there is a file of that name already"},
		{in("dangling/y"), "there is no folder " + in("dangling") + "; make it first"},
		{in("missing/y"), "there is no folder " + in("missing") + "; make it first"},
		{in("folder"), "that is a folder; name a new file in it"},
		{in("folder") + "/", "that names a folder; name a new file in it"},
		{in("new") + "/", "that names a folder; name a new file in it"},
		{"/dev/null", "there is a file of that name already"},
		{in(strings.Repeat("x", 300)), "file name too long"},
		{in(strings.Repeat("x", 250)), "file name too long"},
		{in("two\nlines"), "a control character"},
	} {
		requireRefused(t, c.want, env, "backup", c.to)
		require.Equal(t, before, listed(t, dir), c.to)
	}
	requireRefused(t, "looks like an option", env, "backup", "--", "--force")
	requireRefused(t, "unknown flag --force", env, "backup", "--force")
	requireRefused(t, `expected "<file>"`, env, "backup")
	requireRefused(t, "unexpected argument "+in("c.db"), env, "backup", in("b.db"), in("c.db"))
	requireRefused(t, "there is no database", []string{"BITVILLE_DB_PATH=" + in("missing.db")}, "backup", in("b.db"))
	require.Equal(t, before, listed(t, dir))
	out, err := command(t, []string{"BITVILLE_DB_PATH=" + in("link.db")}, "backup", in("b.db"))
	require.NoError(t, err, out)
}

// A backup asks for the room that it takes: for what is in the database, and not for pages that nothing is in; and for
// the WAL's only where the WAL is.
func TestBackupRoom(t *testing.T) {
	elsewhere := filepath.Join(t.TempDir(), "bitville.db")
	sqlitetest.Grow(t, elsewhere, 100, time.Now(), time.Now())
	env := []string{"BITVILLE_DB_PATH=" + elsewhere}
	small := listenertest.SmallDisk(t, "3m")
	out, err := command(t, env, "backup", filepath.Join(small, "b.db"))
	require.NoError(t, err, out)

	shared := filepath.Join(listenertest.SmallDisk(t, "48m"), "bitville.db")
	sqlitetest.Grow(t, shared, 100, time.Now(), time.Now())
	out, err = command(t, []string{"BITVILLE_DB_PATH=" + shared}, "backup", shared+".backup")
	require.NoError(t, err, out)

	// The WAL takes half of the volume, and needs as much and its reserve to be free: the backup would stop ingest.
	require.NoError(t, os.WriteFile(shared+"-wal", make([]byte, 24<<20), 0o600))
	requireRefused(t, "for the database's WAL, which is on the same volume", []string{"BITVILLE_DB_PATH=" + shared}, "backup", shared+".2")
	out, err = command(t, []string{"BITVILLE_DB_PATH=" + shared}, "backup", filepath.Join(t.TempDir(), "b.db"))
	require.NoError(t, err, out)

	sqlitetest.Grow(t, elsewhere, 20_000, time.Now(), time.Now())
	requireRefused(t, "the volume of "+small+" has 2 MB free, and ", env, "backup", filepath.Join(small, "c.db"))
	require.Equal(t, []string{"b.db"}, listed(t, small))
	sqlitetest.Query(t, elsewhere, "DELETE FROM profiling_data WHERE id > 100 RETURNING 1")
	out, err = command(t, env, "backup", filepath.Join(small, "c.db"))
	require.NoError(t, err, out)
}

// What is asked for is enough: a volume that has it and not a megabyte more takes the backup.
func TestBackupFits(t *testing.T) {
	from := filepath.Join(t.TempDir(), "bitville.db")
	sqlitetest.Grow(t, from, 30_000, time.Now().Add(-time.Hour), time.Now())
	info, err := os.Stat(from)
	require.NoError(t, err)
	for size := info.Size() >> 20; ; size++ {
		require.Less(t, size, info.Size()>>20*2)
		to := filepath.Join(listenertest.SmallDisk(t, fmt.Sprintf("%dm", size)), "b.db")
		out, err := command(t, []string{"BITVILLE_DB_PATH=" + from}, "backup", to)
		if err == nil {
			return
		}
		require.Contains(t, out, "are needed", "it began, and failed")
	}
}

// What does not come to its end leaves nothing.
func TestBackupThatFails(t *testing.T) {
	from := filepath.Join(t.TempDir(), "bitville.db")
	sqlitetest.Grow(t, from, 100_000, time.Now().Add(-time.Hour), time.Now())
	for name, c := range map[string]struct {
		fail func(t *testing.T, dir string, cmd *exec.Cmd)
		want string
	}{
		"the volume fills": {func(_ *testing.T, dir string, _ *exec.Cmd) {
			_ = os.WriteFile(filepath.Join(dir, "filler"), make([]byte, 128<<20), 0o600)
		}, "is full; nothing of the backup is left there"},
		"SIGINT": {func(t *testing.T, _ string, cmd *exec.Cmd) {
			require.NoError(t, cmd.Process.Signal(syscall.SIGINT))
		}, "it was interrupted, and nothing of it is left"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := listenertest.SmallDisk(t, "128m")
			cmd := exec.Command(binary, "backup", filepath.Join(dir, "b.db"))
			cmd.Env = []string{"BITVILLE_DB_PATH=" + from}
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			require.NoError(t, cmd.Start())
			require.Eventually(t, func() bool { return len(listed(t, dir)) > 0 }, 10*time.Second, time.Millisecond)
			c.fail(t, dir, cmd)
			require.Error(t, cmd.Wait())
			require.Equal(t, 1, cmd.ProcessState.ExitCode())
			require.Equal(t, 1, strings.Count(out.String(), "\n"), out.String())
			require.Contains(t, out.String(), c.want)
			_ = os.Remove(filepath.Join(dir, "filler"))
			require.Empty(t, listed(t, dir))
		})
	}
	readOnly := listenertest.SmallDisk(t, "64m,mode=555")
	require.NoError(t, syscall.Mount("", readOnly, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	requireRefused(t, "make a file in the folder "+readOnly+": read-only file system", []string{"BITVILLE_DB_PATH=" + from}, "backup", filepath.Join(readOnly, "b.db"))
}
