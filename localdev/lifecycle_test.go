package main

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
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

// phpRecord is the n-th of many different records.
func phpRecord(n int) string {
	return fmt.Sprintf(`{"project":"shop","correlation_id":"00000000-0000-4000-8000-%012x","timestamp":%d,"duration_ms":1,"request_uri":"/page/%d","profiling_data":{"main()":{"wt":%d}}}`,
		n, time.Now().Unix(), n, n)
}

// dial opens a TLS connection that speaks HTTP/1.1.
func (l *listener) dial(t testing.TB, protos ...string) *tls.Conn {
	t.Helper()
	config := l.Client.Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos = protos
	conn, err := tls.Dial("tcp", strings.TrimPrefix(l.URL, "https://"), config)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// A request under way when SIGTERM arrives is answered and stored; new connections are not taken.
func TestSIGTERMDrains(t *testing.T) {
	for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		l := startListener(t)
		body, feed := io.Pipe()
		type reply struct {
			status int
			answer string
		}
		answered := make(chan reply)
		go func() {
			status, answer := l.Post(body)
			answered <- reply{status, answer}
		}()
		record := phpRecord(1)
		_, err := io.WriteString(feed, record[:20])
		require.NoError(t, err)
		require.Eventually(t, func() bool { return l.openRequests(t) == 1 }, 5*time.Second, 5*time.Millisecond)
		time.Sleep(200 * time.Millisecond) // what has been sent of the request must have been read
		require.NoError(t, l.Cmd.Process.Signal(signal))
		require.Eventually(t, func() bool {
			conn, err := net.Dial("tcp", strings.TrimPrefix(l.URL, "https://"))
			if err == nil {
				_ = conn.Close()
			}
			return err != nil
		}, 5*time.Second, 5*time.Millisecond, "new connections are refused")
		_, err = io.WriteString(feed, record[20:])
		require.NoError(t, err)
		require.NoError(t, feed.Close())
		require.Equal(t, reply{200, `{"accepted":1,"duplicates":0,"rejected":[]}`}, <-answered)
		require.NoError(t, <-l.Exit, "exit 0")
		require.Equal(t, [][]string{{"1"}}, sqlitetest.Query(t, l.DBPath, "SELECT count(*) FROM profiling_data"))
		_, err = os.Stat(l.DBPath + "-wal")
		require.ErrorIs(t, err, os.ErrNotExist, "the log was copied into the database")
	}
}

// openRequests counts the connections that the process has accepted, its listening socket not among them.
func (l *listener) openRequests(t testing.TB) (n int) {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", l.Cmd.Process.Pid))
	if err != nil {
		t.Skip("counting a process's connections needs /proc")
	}
	for _, e := range entries {
		if target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", l.Cmd.Process.Pid, e.Name())); err == nil && strings.HasPrefix(target, "socket:") {
			n++
		}
	}
	return n - 1
}

// A client that never finishes its request does not keep the process from ending, with exit 0.
func TestStuckClientIsCutOff(t *testing.T) {
	t.Parallel()
	l := startListener(t)
	conn := l.dial(t, "http/1.1")
	_, err := fmt.Fprintf(conn, "POST /ingest/php HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\n{", listenertest.Key)
	require.NoError(t, err)
	time.Sleep(100 * time.Millisecond) // the request must have begun; if it has not, the test passes the sooner
	start := time.Now()
	require.NoError(t, l.Stop(syscall.SIGTERM))
	require.Less(t, time.Since(start), 10*time.Second)
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	l := startListener(t)
	conn := l.dial(t, "http/1.1")
	_, err := fmt.Fprintf(conn, "POST /ingest/php HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\n{", listenertest.Key)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return l.openRequests(t) == 1 }, 5*time.Second, 5*time.Millisecond)
	require.NoError(t, l.Cmd.Process.Signal(syscall.SIGTERM))
	require.Eventually(t, func() bool { return l.Log.Find("stopping", &struct{}{}) }, 5*time.Second, 5*time.Millisecond)
	start := time.Now()
	require.Error(t, l.Stop(syscall.SIGTERM), "not exit 0: a request was cut off")
	require.Less(t, time.Since(start), 2*time.Second)
}

// Whatever keeps the listener from starting is one clear line and exit 1.
func TestCannotStart(t *testing.T) {
	dir := t.TempDir()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer busy.Close()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	_, port, err := net.SplitHostPort(busy.Addr().String())
	require.NoError(t, err)
	text := file("text", "no certificate, no database")
	db := filepath.Join(dir, "bitville.db")
	for name, c := range map[string]struct {
		env  []string
		want string
	}{
		"no settings":     {nil, "listener: the settings are not right:\n  no API key is set: set BITVILLE_API_KEY_SHOP=<key> for a project named shop\n  BITVILLE_DB_PATH is not set: name the database file, such as /var/lib/bitville/bitville.db\n"},
		"port in use":     {[]string{"BITVILLE_DB_PATH=" + db, "BITVILLE_LISTEN_ADDR=" + busy.Addr().String()}, "listener: listen on " + busy.Addr().String() + " (BITVILLE_LISTEN_ADDR): listen tcp " + busy.Addr().String() + ": bind: address already in use; end what has it (ss -lntup 'sport = :" + port + "' tells), or set another port\n"},
		"no certificate":  {[]string{"BITVILLE_DB_PATH=" + db, "BITVILLE_TLS_CERT_PATH=" + dir + "/none", "BITVILLE_TLS_KEY_PATH=" + dir + "/none"}, "listener: load the certificate (BITVILLE_TLS_CERT_PATH, BITVILLE_TLS_KEY_PATH): open " + dir + "/none: no such file or directory\n"},
		"bad certificate": {[]string{"BITVILLE_DB_PATH=" + db, "BITVILLE_TLS_CERT_PATH=" + text, "BITVILLE_TLS_KEY_PATH=" + text}, "listener: load the certificate (BITVILLE_TLS_CERT_PATH, BITVILLE_TLS_KEY_PATH): tls: failed to find any PEM data in certificate input\n"},
		"no database":     {[]string{"BITVILLE_DB_PATH=" + text}, "listener: open the database " + text + " (BITVILLE_DB_PATH): the file is not a database\n"},
		"no folder":       {[]string{"BITVILLE_DB_PATH=" + dir + "/none/db"}, "listener: open the database " + dir + "/none/db (BITVILLE_DB_PATH): the folder " + dir + "/none is missing: make it for the user " + me(t) + " (mkdir -p " + dir + "/none)\n"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(binary)
			if c.env != nil {
				cmd.Env = append([]string{"BITVILLE_API_KEY_SHOP=" + listenertest.Key, "BITVILLE_LISTEN_ADDR=127.0.0.1:0", "BITVILLE_LOG_LEVEL=error"}, c.env...)
			} else {
				cmd.Env = []string{}
			}
			out, err := cmd.CombinedOutput()
			require.Equal(t, 1, cmd.ProcessState.ExitCode(), "%v", err)
			require.Equal(t, c.want, string(out))
		})
	}
}

// The access log has one line a request, with what an operator asks for, and never a key or a payload.
func TestAccessLog(t *testing.T) {
	l := startListener(t)
	status, _ := l.Post(strings.NewReader("[" + phpRecord(1) + "," + phpRecord(1) + `,{"profiling_data":"secret payload"}]`))
	require.Equal(t, 200, status)
	var line map[string]any
	require.Eventually(t, func() bool { return l.Log.Find("request", &line) }, 5*time.Second, time.Millisecond)
	require.Positive(t, line["duration_ms"])
	require.Positive(t, line["bytes"])
	require.NotEmpty(t, line["request_id"])
	for _, name := range []string{"time", "duration_ms", "bytes", "request_id", "remote"} {
		delete(line, name)
	}
	require.Equal(t, map[string]any{"level": "INFO", "msg": "request", "method": "POST", "path": "/ingest/php", "status": 200.0,
		"project": "shop", "accepted": 1.0, "duplicates": 1.0, "rejected": 1.0}, line)
	require.NoError(t, l.Stop(syscall.SIGTERM))
	require.NotContains(t, l.Log.String(), listenertest.Key)
	require.NotContains(t, l.Log.String(), "secret payload")
	for lines := bufio.NewScanner(strings.NewReader(l.Log.String())); lines.Scan(); {
		require.True(t, json.Valid(lines.Bytes()), lines.Text())
	}
}

// Old and odd clients get in, and too old ones do not.
func TestTLS(t *testing.T) {
	l := startListener(t)
	for _, protos := range [][]string{nil, {"http/1.0"}, {"http/1.1"}, {"h2", "http/1.1"}} {
		conn := l.dial(t, protos...)
		if len(protos) < 2 {
			_, err := io.WriteString(conn, "GET /health HTTP/1.0\r\n\r\n")
			require.NoError(t, err)
			answer, err := io.ReadAll(conn)
			require.NoError(t, err)
			require.Contains(t, string(answer), "200 OK", "ALPN %v", protos)
		} else {
			require.Equal(t, "h2", conn.ConnectionState().NegotiatedProtocol)
		}
	}
	config := l.Client.Transport.(*http.Transport).TLSClientConfig.Clone()
	config.MaxVersion, config.MinVersion = tls.VersionTLS11, tls.VersionTLS10
	_, err := tls.Dial("tcp", strings.TrimPrefix(l.URL, "https://"), config)
	require.Error(t, err)
	for _, address := range []string{"localhost", "127.0.0.1", "::1"} {
		config := l.Client.Transport.(*http.Transport).TLSClientConfig.Clone()
		config.ServerName = address
		conn, err := tls.Dial("tcp", strings.TrimPrefix(l.URL, "https://"), config)
		require.NoError(t, err, "the certificate is for %s", address)
		_ = conn.Close()
	}
}
