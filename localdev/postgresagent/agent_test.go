package postgresagent

import (
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

// agent is listener agent postgres, as a process.
type agent struct {
	t    testing.TB
	args []string
	env  []string

	cmd  *exec.Cmd
	log  *listenertest.Log
	exit chan error
}

func startListener(t testing.TB) *listenertest.Listener {
	t.Helper()
	l := listenertest.New(t, binary, "")
	l.Start(t)
	return l
}

// startAgent starts an agent that sends to l, and waits until it reads.
func startAgent(t testing.TB, l *listenertest.Listener, args ...string) *agent {
	t.Helper()
	a := &agent{t: t, args: args, env: []string{
		"BITVILLE_URL=" + l.URL, "BITVILLE_PROJECT=shop", "BITVILLE_API_KEY=" + listenertest.Key, "BITVILLE_CA_PATH=" + l.CAFile,
		"BITVILLE_STATE_DIR=" + t.TempDir(), "BITVILLE_FLUSH_INTERVAL=50ms",
	}}
	a.start()
	t.Cleanup(a.stop)
	return a
}

func (a *agent) start() {
	a.t.Helper()
	a.cmd = exec.Command(binary, append([]string{"agent", "postgres"}, a.args...)...)
	a.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, a.env...)
	a.log = &listenertest.Log{}
	a.cmd.Stderr = a.log
	require.NoError(a.t, a.cmd.Start())
	a.exit = make(chan error, 1)
	go func(cmd *exec.Cmd, exit chan error) { exit <- cmd.Wait() }(a.cmd, a.exit)
	require.Eventually(a.t, func() bool { return a.log.Find("ready", &struct{}{}) }, 10*time.Second, 5*time.Millisecond, "the agent did not start:\n%s", a.log)
}

// kill ends it at once.
func (a *agent) kill() {
	require.NoError(a.t, a.cmd.Process.Kill())
	<-a.exit
	a.cmd = nil
}

// stop ends it as systemd does.
func (a *agent) stop() {
	if a.cmd == nil {
		return
	}
	_ = a.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-a.exit:
		require.NoError(a.t, err, "%s", a.log)
	case <-time.After(10 * time.Second):
		a.t.Errorf("the agent does not end:\n%s", a.log)
		_ = a.cmd.Process.Kill()
	}
	a.cmd = nil
}

// stored returns what the listener has of the agent, once it has as many records.
func stored(t testing.TB, l *listenertest.Listener, n int, columns string) (rows [][]string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for {
		rows = sqlitetest.Query(t, l.DBPath, "SELECT "+columns+" FROM profiling_data WHERE source = 'postgres_agent' ORDER BY timestamp, id")
		if len(rows) >= n || time.Now().After(deadline) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	var lines []string
	for _, row := range rows {
		lines = append(lines, strings.Join(row, "|"))
	}
	require.Len(t, rows, n, "%s", strings.Join(lines[:min(len(lines), 50)], "\n"))
	return rows
}
