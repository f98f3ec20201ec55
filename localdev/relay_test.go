package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
)

// relayEnv is what a relay needs that sends to a listener.
func relayEnv(l *listener, more ...string) []string {
	return append([]string{"BITVILLE_URL=" + l.URL, "BITVILLE_CA_PATH=" + l.CAFile, "BITVILLE_PROJECT=shop", "BITVILLE_API_KEY=" + listenertest.Key,
		"BITVILLE_RELAY_ADDR=127.0.0.1:0", "BITVILLE_LOG_FORMAT=json"}, more...)
}

// TestRelayTellsAllProblems: at once, each in a line with its variable and the remedy.
func TestRelayTellsAllProblems(t *testing.T) {
	out, err := command(t, []string{"BITVILLE_URL=http://l", "BITVILLE_SPOOLDIR=/x", "BITVILLE_CA_PATH=/none.pem", "BITVILLE_LOG_FORMAT=json"},
		"agent", "relay", "-state-dir", "/none/state", "-spool", "/none/spool", "-flush-interval", "soon", "-listen", "8444")
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 1, exit.ExitCode())
	require.Equal(t, `listener: the settings are not right:
  BITVILLE_FLUSH_INTERVAL is "soon": set a Go duration above 0, such as 1s
  BITVILLE_URL begins with http: and not with https://, over which keys and records are sent: set https://host:port of the listener alone, such as https://listener.example:8443
  BITVILLE_PROJECT and BITVILLE_API_KEY are not set: name the project that the records are of, such as shop, and set its key
  BITVILLE_RELAY_ADDR is "8444": set host:port with the port's number, such as 127.0.0.1:8444
  BITVILLE_SPOOLDIR is not a setting of this relay and does nothing; did you mean BITVILLE_SPOOL_DIR?
  use the folder /none/state (BITVILLE_STATE_DIR): the folder /none is missing: make it for the user `+me(t)+` (mkdir -p /none)
  read the certificates to trust (BITVILLE_CA_PATH): open /none.pem: no such file or directory
  use the folder /none/spool (BITVILLE_SPOOL_DIR): the folder /none is missing: make it for the user `+me(t)+` (mkdir -p /none/spool)
`, out)
}

// TestRelayCheck: it says that all is right, or what is missing; it makes nothing, and may be asked beside a relay that runs.
func TestRelayCheck(t *testing.T) {
	l := startListener(t)
	dir := t.TempDir()
	state, spool := filepath.Join(dir, "state"), filepath.Join(dir, "spool")
	require.NoError(t, os.Mkdir(spool, 0o770))
	require.NoError(t, os.Chmod(spool, 0o770|os.ModeSetgid))
	check := func(more ...string) (string, error) {
		return command(t, relayEnv(l, more...), "agent", "relay", "--check", "--state-dir", state, "--spool", spool)
	}
	out, err := check()
	require.NoError(t, err, out)
	require.Equal(t, "all is right\n", out)
	require.NoDirExists(t, state)
	for _, c := range []struct{ set, want string }{
		{"BITVILLE_API_KEY=another-key-0123456789", `missing: the listener does not know the key of the project shop: {"error":"Unknown API key`},
		{"BITVILLE_CA_PATH=", "missing: the listener (BITVILLE_URL) cannot be reached: "},
		{"BITVILLE_URL=" + l.URL + "/elsewhere", "missing: the listener (BITVILLE_URL) answers 404 to records of the project shop: "},
		{"BITVILLE_PROJECT=", "missing: BITVILLE_PROJECT is not set: "},
		{"BITVILLE_METRICS_ADDR=" + strings.TrimPrefix(l.URL, "https://"), "missing: listen on "},
	} {
		out, err := check(c.set)
		require.Error(t, err)
		require.Equal(t, 1, strings.Count(out, "missing: "), out)
		require.Contains(t, out, c.want)
	}
	require.NoError(t, os.Chmod(spool, 0o755))
	out, err = check()
	require.Error(t, err)
	require.Contains(t, out, "its mode is 0755 and should be 2770, with a group that both are in\n    install -d -o root -g bitville -m 2770 "+spool+"\n    usermod -aG bitville www-data\n")
	require.NoError(t, os.Chmod(spool, 0o770|os.ModeSetgid))

	socket := newNotifySocket(t)
	metrics := "BITVILLE_METRICS_ADDR=" + free(t)
	cmd := exec.Command(binary, "agent", "relay", "--state-dir", state, "--spool", spool)
	log := &listenertest.Log{}
	cmd.Env, cmd.Stderr = relayEnv(l, metrics, "NOTIFY_SOCKET="+socket.path), log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	require.True(t, strings.HasPrefix(socket.state(t), "READY=1"))
	require.Eventually(t, func() bool { return log.Find("ready", &struct{}{}) }, 10*time.Second, 5*time.Millisecond)
	out, err = check(metrics)
	require.NoError(t, err, out)
	out, err = command(t, relayEnv(l), "agent", "relay", "--state-dir", state)
	require.Error(t, err)
	require.Contains(t, out, "the folder "+state+" is used by another agent")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.True(t, strings.HasPrefix(socket.state(t), "STOPPING=1"))
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		require.NoError(t, err, "it exits with 0")
	case <-time.After(10 * time.Second):
		t.Fatal("it did not end within 10 s")
	}
}

// free returns an address that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}
