package main

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const testKey = "test-key-0123456789"

var binary string // the built listener, made once for all tests

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "listener")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		binary = filepath.Join(dir, "listener")
		build := exec.Command("go", "build", "-o", binary, ".")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			panic("build the listener: " + err.Error())
		}
		return m.Run()
	}())
}

// listener is the built binary, running.
type listener struct {
	URL    string
	Key    string // of the project shop
	CAFile string
	DBPath string
	Client *http.Client // trusts CAFile alone

	cmd  *exec.Cmd
	log  *logBuffer
	exit chan error
}

// startListener starts the built binary on a free port with a database of its own and waits until it
// listens. env adds settings or replaces the test's. It is stopped, and must end well, when the test ends.
func startListener(t testing.TB, env ...string) *listener {
	t.Helper()
	return startListenerTrusting(t, "", env...)
}

// startListenerTrusting starts one whose certificate is not the one that it makes; caFile is trusted for it.
func startListenerTrusting(t testing.TB, caFile string, env ...string) *listener {
	t.Helper()
	dir := t.TempDir()
	l := &listener{
		Key:    testKey,
		DBPath: filepath.Join(dir, "bitville.db"),
		CAFile: cmp.Or(caFile, filepath.Join(dir, "cert.pem")),
	}
	l.URL = "https://" + l.start(t, env...)
	pem, err := os.ReadFile(l.CAFile)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(pem))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	l.Client = &http.Client{Transport: transport, Timeout: 30 * time.Second}
	t.Cleanup(transport.CloseIdleConnections)
	return l
}

// start starts the process, also one that has ended, and returns the address that it listens on.
func (l *listener) start(t testing.TB, env ...string) (addr string) {
	t.Helper()
	l.cmd = exec.Command(binary)
	l.cmd.Dir = filepath.Dir(l.DBPath)
	l.cmd.Env = append([]string{
		"BITVILLE_API_KEY_SHOP=" + l.Key,
		"BITVILLE_DB_PATH=" + l.DBPath,
		"BITVILLE_LISTEN_ADDR=127.0.0.1:0",
	}, env...)
	l.log = &logBuffer{}
	l.cmd.Stderr = l.log
	l.exit = make(chan error, 1)
	require.NoError(t, l.cmd.Start())
	go func() { l.exit <- l.cmd.Wait() }()
	t.Cleanup(func() {
		if l.cmd.ProcessState == nil {
			require.NoError(t, l.stop(syscall.SIGTERM), "the log:\n%s", l.log)
		}
	})
	var listening struct{ Addr string }
	require.Eventually(t, func() bool { return l.log.find("listening", &listening) }, 10*time.Second, 5*time.Millisecond, "the listener did not start")
	return listening.Addr
}

// stop sends a signal and returns how the process ended.
func (l *listener) stop(signal os.Signal) error {
	if err := l.cmd.Process.Signal(signal); err != nil {
		return err
	}
	select {
	case err := <-l.exit:
		return err
	case <-time.After(15 * time.Second):
		return errors.Join(errors.New("the listener did not end"), l.cmd.Process.Kill())
	}
}

// logBuffer collects a log of JSON lines.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// find decodes the last line with the given message, and tells whether there is one.
func (b *logBuffer) find(msg string, into any) bool {
	found := false
	for lines := bufio.NewScanner(bytes.NewBufferString(b.String())); lines.Scan(); {
		var head struct{ Msg string }
		if json.Unmarshal(lines.Bytes(), &head) == nil && head.Msg == msg {
			found = json.Unmarshal(lines.Bytes(), into) == nil
		}
	}
	return found
}
