package torture

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
	"github.com/bitville/listener/shared/store/libsql/libsqltest"
)

// A disk that is full refuses records before SQLite meets its end, and takes them again by itself when there is space: once
// somebody else gives it back, once a purge does. Reading and purging go on all the while.
func TestFullDisk(t *testing.T) {
	dir := listenertest.SmallDisk(t, "24m")
	clock := filepath.Join(t.TempDir(), "clock")
	l := listenertest.New(t, binary, "")
	l.DBPath = filepath.Join(dir, "bitville.db")
	l.CAFile = filepath.Join(dir, "cert.pem")
	env := []string{"TORTURE_CLOCK=" + clock}
	l.Start(t, env...)
	a := startAgents(t, l, 4, 0)
	a.waitForMore(t, 100)
	filler := filepath.Join(dir, "filler")
	require.NoError(t, os.WriteFile(filler, make([]byte, 6<<20), 0o600))
	full := func() {
		t.Helper()
		require.EventuallyWithT(t, func(c *assert.CollectT) {
			status, header, answer := l.Do("GET", "/ready", nil)
			assert.Equal(c, 503, status)
			assert.NotEmpty(c, header.Get("Retry-After"))
			assert.Contains(c, answer, "the disk is nearly full")
		}, 60*time.Second, 10*time.Millisecond)
		requireRefusal(t, l, "the disk is nearly full")
		status, _, _ := l.Do("GET", "/health", nil)
		require.Equal(t, 200, status)
	}
	command := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(binary, args...)
		cmd.Env = l.Cmd.Environ()
		text, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", text)
		return string(text)
	}
	full()
	require.Contains(t, command("show", "00000000-0000-4000-8000-000000000001"), `"name":"/page/1"`)
	require.Contains(t, command("purge"), `"rows_deleted":0`)
	require.NoError(t, os.Remove(filler))
	a.waitForMore(t, 100)

	full()
	a.stop()
	require.NotContains(t, l.Log.String(), "the disk is full", "SQLite met the end of the disk")
	a.requireStored(t)
	require.NoError(t, os.WriteFile(clock, []byte("216h"), 0o600)) // all that is there has expired
	require.Regexp(t, `"rows_deleted":[1-9]`, command("purge", "-force"))
	require.NoError(t, os.WriteFile(clock, []byte("0s"), 0o600))
	require.Eventually(t, func() bool {
		status, _ := l.Post(body(1))
		return status == 200
	}, 10*time.Second, 10*time.Millisecond)
}

// The disk of the server is full, and not any more.
func TestFullServer(t *testing.T) {
	dir := listenertest.SmallDisk(t, "24m")
	server := libsqltest.StartIn(t, dir)
	l, a := remote(t, server.URL, 4)
	filler := filepath.Join(dir, "filler")
	require.ErrorIs(t, os.WriteFile(filler, make([]byte, 32<<20), 0o600), syscall.ENOSPC)
	requireRefusal(t, l, "the database failed") // it does not say more
	require.NoError(t, os.Remove(filler))
	requireBack(t, a, "a full disk")
	a.stop()
	a.requireNames(t, server.Query(t, "SELECT name FROM profiling_data"))
}
