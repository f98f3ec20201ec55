package listenertest

import (
	"bytes"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Agent is an agent of the built binary, as a process.
type Agent struct {
	Name string // postgres or relay
	Args []string
	Env  []string
	Log  *Log
	Out  bytes.Buffer // standard output; to be read when it has ended

	Cmd  *exec.Cmd // nil when it does not run
	exit chan error
}

// StartAgent starts an agent that sends to l, and waits until it is ready. It is stopped, and must end well, when the
// test ends.
func (l *Listener) StartAgent(t testing.TB, name string, args ...string) *Agent {
	t.Helper()
	a := l.NewAgent(t, name, args...)
	a.Start(t)
	t.Cleanup(func() { a.Stop(t) })
	return a
}

// NewAgent returns an agent that Launch starts.
func (l *Listener) NewAgent(t testing.TB, name string, args ...string) *Agent {
	t.Helper()
	return &Agent{Name: name, Args: args, Env: []string{
		"PATH=" + os.Getenv("PATH"), "BITVILLE_URL=" + l.URL, "BITVILLE_PROJECT=shop", "BITVILLE_API_KEY=" + Key, "BITVILLE_CA_PATH=" + l.CAFile,
		"BITVILLE_STATE_DIR=" + t.TempDir(), "BITVILLE_FLUSH_INTERVAL=50ms",
	}, exit: make(chan error, 1), Log: &Log{}, Cmd: exec.Command(l.Binary)}
}

// Launch starts the process, and waits for nothing.
func (a *Agent) Launch(t testing.TB) {
	t.Helper()
	cmd := exec.Command(a.Cmd.Path, append([]string{"agent", a.Name}, a.Args...)...)
	cmd.Env, cmd.Stdin = a.Env, a.Cmd.Stdin
	a.Out.Reset()
	a.Log, a.exit = &Log{}, make(chan error, 1)
	cmd.Stdout, cmd.Stderr = &a.Out, a.Log
	require.NoError(t, cmd.Start())
	a.Cmd = cmd
	go func(exit chan error) { exit <- cmd.Wait() }(a.exit)
}

// Start starts the process, also one that has ended, and waits until it is ready.
func (a *Agent) Start(t testing.TB) {
	t.Helper()
	a.Launch(t)
	require.Eventually(t, func() bool { return a.Log.Find("ready", &struct{}{}) }, 20*time.Second, 5*time.Millisecond, "the agent did not start:\n%s", a.Log)
}

// Kill ends it at once.
func (a *Agent) Kill(t testing.TB) {
	t.Helper()
	require.NoError(t, a.Cmd.Process.Kill())
	<-a.exit
	a.exit <- nil
}

// Stop ends it as systemd does.
func (a *Agent) Stop(t testing.TB) {
	t.Helper()
	_ = a.Cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	require.NoError(t, a.Wait(t), "%s", a.Log)
}

// Wait returns how it ended, which it must within 20 seconds.
func (a *Agent) Wait(t testing.TB) error {
	t.Helper()
	select {
	case err := <-a.exit:
		a.exit <- nil
		return err
	case <-time.After(20 * time.Second):
		_ = a.Cmd.Process.Kill()
		t.Fatalf("the agent does not end:\n%s", a.Log)
		return nil
	}
}
