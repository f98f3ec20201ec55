package postgrestest

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Dir returns a folder that the servers' user owns. It is in /tmp, for t.TempDir is closed to other users and may be
// longer than a socket's path can be.
func Dir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "servers-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if who := AsServer(t); who != nil {
		require.NoError(t, os.Chown(dir, int(who.Credential.Uid), int(who.Credential.Gid)))
	}
	require.NoError(t, os.Chmod(dir, 0o755)) //nolint:gosec // other users' sockets
	return dir
}

// AsServer starts a process as a user other than root, since PostgreSQL and PgBouncer refuse to run as root.
func AsServer(t testing.TB) *syscall.SysProcAttr {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	require.NoError(t, err)
	var who syscall.Credential
	_, err = fmt.Sscan(u.Uid+" "+u.Gid, &who.Uid, &who.Gid)
	require.NoError(t, err)
	return &syscall.SysProcAttr{Credential: &who}
}

// process is a server that runs.
type process struct {
	cmd    *exec.Cmd
	signal os.Signal
	ended  chan struct{}
}

// Run runs a server, as AsServer says, until the test ends; signal stops it. What it prints goes to dir/output.
func Run(t testing.TB, dir string, signal os.Signal, cmd *exec.Cmd) {
	t.Helper()
	cmd.SysProcAttr = AsServer(t)
	RunAsRoot(t, dir, signal, cmd)
}

// RunAsRoot is Run for a server that starts as root.
func RunAsRoot(t testing.TB, dir string, signal os.Signal, cmd *exec.Cmd) {
	t.Helper()
	p := launch(t, dir, signal, cmd)
	t.Cleanup(p.stop)
}

func launch(t testing.TB, dir string, signal os.Signal, cmd *exec.Cmd) *process {
	t.Helper()
	output, err := os.OpenFile(dir+"/output", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644) //nolint:gosec // a test's
	require.NoError(t, err)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, []string{"PATH=" + os.Getenv("PATH")}, output, output
	require.NoError(t, cmd.Start())
	require.NoError(t, output.Close())
	p := &process{cmd, signal, make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(p.ended)
	}()
	return p
}

func (p *process) stop() {
	_ = p.cmd.Process.Signal(p.signal)
	select {
	case <-p.ended:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// Await waits until a server is up.
func Await(t testing.TB, dir string, isUp func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if isUp() {
			return
		}
	}
	said, _ := os.ReadFile(dir + "/output")
	t.Fatalf("a server did not come up:\n%s", said)
}
