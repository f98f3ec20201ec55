package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

// startLoggingTo starts the built binary with its log in a file of the test's, and returns it once it answers.
func startLoggingTo(t *testing.T, stderr *os.File, env ...string) *listener {
	t.Helper()
	l := &listener{listenertest.New(t, binary, "")}
	l.Start(t) // for its port and its certificate
	require.NoError(t, l.Stop(syscall.SIGTERM))
	cmd := exec.Command(binary)
	cmd.Env = append([]string{"BITVILLE_API_KEY_SHOP=" + l.Key, "BITVILLE_DB_PATH=" + l.DBPath, "BITVILLE_LISTEN_ADDR=" + strings.TrimPrefix(l.URL, "https://")}, env...)
	cmd.Stderr = stderr
	require.NoError(t, cmd.Start())
	l.Cmd, l.Exit = cmd, make(chan error, 1)
	go func() { l.Exit <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	require.Eventually(t, func() bool {
		status, _, _ := l.Do("GET", "/health", nil)
		return status == 200
	}, 10*time.Second, 10*time.Millisecond)
	return l
}

// Whoever reads the log goes, or stands still, or the disk that it is on is full: a record is stored and answered all
// the same, and SIGTERM ends the process as ever.
func TestLogReaderThatIsGone(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer full.Close()
	for name, c := range map[string]struct {
		log   func(t *testing.T) (stderr *os.File, gone func())
		level string
	}{
		"gone":          {pipeThatIsClosed, "info"},
		"gone at debug": {pipeThatIsClosed, "debug"},
		"stands still": {func(t *testing.T) (*os.File, func()) {
			r, w, err := os.Pipe()
			require.NoError(t, err)
			t.Cleanup(func() { _ = r.Close() })
			return w, func() {}
		}, "info"},
		"a full disk": {func(*testing.T) (*os.File, func()) { return full, func() {} }, "info"},
	} {
		t.Run(name, func(t *testing.T) {
			stderr, gone := c.log(t)
			l := startLoggingTo(t, stderr, "BITVILLE_LOG_LEVEL="+c.level)
			gone()
			const records = 1000 // at 200 bytes a line more than a pipe holds
			for n := range records {
				status, answer := l.Post(strings.NewReader(phpRecord(n)))
				require.Equal(t, 200, status, answer)
			}
			l.Client.CloseIdleConnections()
			require.NoError(t, l.Stop(syscall.SIGTERM), "exit 0")
			require.Equal(t, [][]string{{"1000"}}, sqlitetest.Query(t, l.DBPath, "SELECT count(*) FROM profiling_data"))
		})
	}
}

// pipeThatIsClosed is read until gone is called.
func pipeThatIsClosed(t *testing.T) (stderr *os.File, gone func()) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	return w, func() {
		_ = w.Close() // the test's own
		_, err := bufio.NewReader(r).ReadString('\n')
		require.NoError(t, err)
		require.NoError(t, r.Close())
	}
}

// A reader that comes back is told how many lines it has missed.
func TestLostLinesAreTold(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	l := startLoggingTo(t, w, "BITVILLE_LOG_LEVEL=debug")
	require.NoError(t, w.Close())
	for range 10_000 { // at more than 150 bytes a line
		status, _, _ := l.Do("GET", "/nowhere", nil)
		require.Equal(t, 404, status)
	}
	require.NoError(t, l.Cmd.Process.Signal(syscall.SIGTERM))
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, <-l.Exit)
	require.Contains(t, string(text), "lines of this log were lost")
}

// A command whose output cannot be written says so, and fails.
func TestOutputThatCannotBeWritten(t *testing.T) {
	l := startListener(t)
	status, answer := l.Post(strings.NewReader(phpRecord(7)))
	require.Equal(t, 200, status, answer)
	r, closed, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer full.Close()
	defer closed.Close()
	const id = "00000000-0000-4000-8000-000000000007"
	for _, args := range [][]string{{"help"}, {"version"}, {"check"}, {"show", id}, {"slowest"}, {"routes"}, {"statements"}, {"why", id}, {"trace", id}, {"trace", id, "--json"}} {
		for out, why := range map[*os.File]string{closed: "broken pipe", full: "no space left on device"} {
			var stderr strings.Builder
			cmd := exec.Command(binary, args...)
			cmd.Env = l.env("BITVILLE_API_KEY_SHOP="+l.Key, "BITVILLE_LISTEN_ADDR=127.0.0.1:0", "BITVILLE_LOG_LEVEL=error")
			cmd.Stdout, cmd.Stderr = out, &stderr
			require.Error(t, cmd.Run())
			require.Equal(t, 1, cmd.ProcessState.ExitCode(), "%v", args)
			require.Regexp(t, `^listener: [^\n]*: `+why+`\n$`, stderr.String(), "%v", args)
		}
	}
}
