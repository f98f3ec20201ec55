// Package listenertest builds the listener and runs it for tests, which know it as its users do: by its settings, its
// answers, its log, and how the process ends.
package listenertest

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// Key is that of the project shop as the listener knows it.
const Key = "test-key-0123456789"

// Main builds the listener, with build tags or none, runs the tests, and returns what TestMain exits with: not 0 also
// when a goroutine outlives the tests. It tells where the binary is before they run.
func Main(m *testing.M, binary *string, tags ...string) int {
	dir, err := os.MkdirTemp("", "listener")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	*binary = filepath.Join(dir, "listener")
	// As make build does: the tests run what is shipped, and its packages are compiled once for both.
	build := exec.Command("go", "build", "-trimpath", "-tags", strings.Join(tags, ","), "-o", *binary, "github.com/bitville/listener/localdev")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		panic("build the listener: " + err.Error())
	}
	code := 0
	goleak.VerifyTestMain(m, goleak.Cleanup(func(exit int) { code = exit }))
	return code
}

// Listener is the built binary, running.
type Listener struct {
	URL    string
	Key    string // of the project shop, which requests carry
	CAFile string
	DBPath string
	Client *http.Client // trusts CAFile alone

	Binary string
	Cmd    *exec.Cmd
	Log    *Log
	Exit   chan error // what the process ended with
}

// New returns one with a database of its own that Start starts. caFile is trusted when it is not the certificate that
// the listener makes.
func New(t testing.TB, binary, caFile string) *Listener {
	t.Helper()
	dir := t.TempDir()
	return &Listener{
		Key:    Key,
		Binary: binary,
		DBPath: filepath.Join(dir, "bitville.db"),
		CAFile: cmp.Or(caFile, filepath.Join(dir, "cert.pem")),
	}
}

// Start starts the process, also one that has ended, and waits until it listens: on the port that it had, or on a free
// one. env adds settings or replaces the test's. It is stopped, and must end well, when the test ends.
func (l *Listener) Start(t testing.TB, env ...string) {
	t.Helper()
	l.Launch(t, env...)
	var listening struct{ Addr string }
	require.Eventually(t, func() bool { return l.Log.Find("listening", &listening) }, 10*time.Second, 5*time.Millisecond, "the listener did not start:\n%s", l.Log)
	if l.URL == "" {
		l.URL = "https://" + listening.Addr
	}
	if l.Client != nil {
		return
	}
	pem, err := os.ReadFile(l.CAFile)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(pem))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	l.Client = &http.Client{Transport: transport, Timeout: 30 * time.Second}
	t.Cleanup(transport.CloseIdleConnections)
}

// Launch starts the process, and waits for nothing.
func (l *Listener) Launch(t testing.TB, env ...string) {
	t.Helper()
	l.Cmd = exec.Command(l.Binary)
	l.Cmd.Dir = filepath.Dir(l.DBPath)
	l.Cmd.Env = append([]string{
		"BITVILLE_API_KEY_SHOP=" + Key,
		"BITVILLE_DB_PATH=" + l.DBPath,
		"BITVILLE_LISTEN_ADDR=" + cmp.Or(strings.TrimPrefix(l.URL, "https://"), "127.0.0.1:0"),
	}, env...)
	l.Log = &Log{}
	l.Cmd.Stderr = l.Log
	cmd, exit, ended := l.Cmd, make(chan error, 1), make(chan struct{})
	l.Exit = exit
	require.NoError(t, cmd.Start())
	go func() {
		err := cmd.Wait()
		close(ended)
		exit <- err
	}()
	t.Cleanup(func() {
		select {
		case <-ended:
		default:
			require.NoError(t, l.Stop(syscall.SIGTERM), "the log:\n%s", l.Log)
		}
	})
}

// Stop sends a signal and returns how the process ended.
func (l *Listener) Stop(signal os.Signal) error {
	if err := l.Cmd.Process.Signal(signal); err != nil {
		return err
	}
	select {
	case err := <-l.Exit:
		return err
	case <-time.After(15 * time.Second):
		return errors.Join(errors.New("the listener did not end"), l.Cmd.Process.Kill())
	}
}

// Post sends a body to /ingest/php. The status is 0 when there was no answer.
func (l *Listener) Post(body io.Reader) (status int, answer string) {
	status, _, answer = l.Do("POST", "/ingest/php", body)
	return status, answer
}

// Do sends a request. The status is 0 when there was no answer.
func (l *Listener) Do(method, path string, body io.Reader) (status int, header http.Header, answer string) {
	req, err := http.NewRequest(method, l.URL+path, body)
	if err != nil {
		return 0, nil, err.Error()
	}
	req.Header.Set("Authorization", "Bearer "+l.Key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := l.Client.Do(req)
	if err != nil {
		return 0, nil, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, err.Error()
	}
	return resp.StatusCode, resp.Header, string(text)
}
