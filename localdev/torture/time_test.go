package torture

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

// A clock that is wrong, and a process that sleeps, cost no record.
func TestWrongClock(t *testing.T) {
	l := listenertest.New(t, binary, "")
	dir := filepath.Dir(l.DBPath)
	clock := "TORTURE_CLOCK=" + filepath.Join(dir, "clock")
	set := func(by time.Duration) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "clock.new"), []byte(by.String()), 0o600))
		require.NoError(t, os.Rename(filepath.Join(dir, "clock.new"), filepath.Join(dir, "clock")))
	}
	purge := func(args ...string) (output string, err error) {
		cmd := exec.Command(binary, append([]string{"purge"}, args...)...)
		cmd.Env = append(l.Cmd.Environ(), clock)
		text, err := cmd.CombinedOutput()
		return string(text), err
	}
	set(0)
	l.Start(t, clock)
	a := startAgents(t, l, 4, 10*time.Millisecond)
	a.waitForMore(t, 100)

	for _, by := range []time.Duration{-time.Hour, 0, time.Hour} {
		require.NoError(t, l.Cmd.Process.Signal(syscall.SIGSTOP)) // at the last of them it has slept for an hour
		set(by)
		time.Sleep(200 * time.Millisecond)
		require.NoError(t, l.Cmd.Process.Signal(syscall.SIGCONT))
		a.waitForMore(t, 100)
		output, err := purge()
		require.NoError(t, err, output)
		require.Contains(t, output, `"rows_deleted":0`)
	}
	a.stop()
	a.requireStored(t)

	set(8 * 24 * time.Hour)
	require.NoError(t, l.Stop(syscall.SIGTERM))
	l.Start(t, clock) // which purges
	require.Eventually(t, func() bool { return l.Log.Find("purge failed", &struct{}{}) }, 5*time.Second, 10*time.Millisecond)
	output, err := purge()
	require.Error(t, err)
	require.Contains(t, output, "If the clock is wrong, set it; if it is right, 'listener purge -force' deletes them")
	status, answer := l.Post(body(1))
	require.Equal(t, 400, status)
	require.Contains(t, answer, "timestamp")
	a.requireStored(t)

	set(0)
	output, err = purge()
	require.NoError(t, err, output)
	a.requireStored(t)
	status, answer = l.Post(body(1))
	require.Equal(t, 200, status, answer)

	set(8 * 24 * time.Hour)
	output, err = purge("-force")
	require.NoError(t, err, output)
	require.Equal(t, [][]string{{"0"}}, sqlitetest.Query(t, l.DBPath, "SELECT count(*) FROM profiling_data"))
}
