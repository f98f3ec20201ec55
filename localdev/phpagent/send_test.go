package phpagent

import (
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

func startListener(t testing.TB, env ...string) *listenertest.Listener {
	t.Helper()
	l := listenertest.New(t, binary, "")
	l.Start(t, env...)
	return l
}

// stored returns the columns of all records, and waits until there are as many as are wanted.
func stored(t testing.TB, l *listenertest.Listener, want int, columns string) [][]string {
	t.Helper()
	require.Eventually(t, func() bool {
		return sqlitetest.Query(t, l.DBPath, "SELECT count(*) FROM profiling_data")[0][0] == fmt.Sprint(want)
	}, 10*time.Second, 10*time.Millisecond, "%d records are in the database", want)
	return sqlitetest.Query(t, l.DBPath, "SELECT "+columns+" FROM profiling_data ORDER BY id")
}

// TestListener sends to a real one.
func TestListener(t *testing.T) {
	requireTools(t)
	udp := freeUDP(t)
	l := startListener(t, "BITVILLE_UDP_ADDR="+udp)
	const columns = "project, source, name, attributes ->> 'profiler', attributes ->> 'sampled', attributes ->> 'queries', attributes ->> 'route'"
	want := []string{"shop", "php_agent", "/a?q=", "none", "rate", "1", "/r"}
	page := script{
		code: `Bitville\route('/r'); (new Bitville\PDO('sqlite::memory:'))->query('SELECT 1'); echo Bitville\id();`,
		env:  map[string]string{"REQUEST_METHOD": "GET", "REQUEST_URI": "/a?q=secret", "BITVILLE_CA_PATH": l.CAFile, "TMPDIR": t.TempDir()},
	}
	n := 0
	for _, c := range []struct{ name, url, ini string }{
		{"a datagram", "udp://" + udp, ""},
		{"a datagram without gzip", "udp://" + udp, "disable_functions=gzencode"},
		{"https", l.URL, ""},
		{"https with a slash at the end", l.URL + "/", ""},
		{"https without gzip", l.URL, "disable_functions=gzencode"},
		{"https without curl, APCu and posix", l.URL, "disable_functions=curl_init,apcu_enabled,posix_geteuid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			page.env["BITVILLE_URL"] = c.url
			page.ini = nil
			if c.ini != "" {
				page.ini = []string{c.ini}
			}
			out, _, err := page.run(t)
			require.NoError(t, err)
			n++
			rows := stored(t, l, n, "correlation_id, "+columns)
			require.Equal(t, append([]string{out}, want...), rows[n-1])
		})
	}
	t.Run("a datagram of the largest size", func(t *testing.T) {
		page.env["BITVILLE_URL"] = "udp://" + udp
		page.ini = nil
		page.code = `for ($i = 0; $i < 20000; $i++) eval("function a{$i}_" . bin2hex(random_bytes(16)) . "() {}"); foreach (get_defined_functions()['user'] as $f) if (str_starts_with($f, 'a')) $f();`
		page.env["BITVILLE_PROFILER"] = "xhprof"
		_, _, err := page.run(t)
		require.NoError(t, err)
		n++
		row := stored(t, l, n, "attributes ->> 'truncated', length(payload) > 30000")[n-1]
		require.Equal(t, []string{"1", "1"}, row)
	})
	t.Run("another certificate", func(t *testing.T) {
		page.env["BITVILLE_URL"], page.env["BITVILLE_CA_PATH"], page.env["BITVILLE_DEBUG"] = l.URL, certificate(t, httptest.NewTLSServer(http.NotFoundHandler())), "1"
		page.code, page.ini = "", []string{"log_errors=1"}
		out, _, err := page.run(t)
		require.NoError(t, err)
		require.Contains(t, out, "no TLS; is BITVILLE_CA_PATH right?")
		require.Len(t, stored(t, l, n, "id"), n)
	})
}

// certificate writes the server's to a file. The server is closed with the test.
func certificate(t testing.TB, srv *httptest.Server) string {
	t.Helper()
	t.Cleanup(srv.Close)
	path := filepath.Join(t.TempDir(), "ca.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
	return path
}

func freeUDP(t testing.TB) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer conn.Close()
	return conn.LocalAddr().String()
}

// TestBreaker: after a send that failed none is tried for a while, by any process, unless it was the record's fault.
func TestBreaker(t *testing.T) {
	requireTools(t)
	var requests atomic.Int32
	answer := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) }
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		answer(w, r)
	}))
	ca := certificate(t, srv)
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "its words", code) }
	}
	hangUp := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   int32 // of two requests
	}{
		{"200", status(200), 2},
		{"200 in chunks", func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); _, _ = io.WriteString(w, "{}") }, 2},
		{"200 and closes", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") }, 2},
		{"400", status(400), 2}, {"413", status(413), 2},
		{"401", status(401), 1}, {"403", status(403), 1}, {"404", status(404), 1}, {"429", status(429), 1}, {"500", status(500), 1}, {"503", status(503), 1},
		{"hangs up", hangUp, 1},
		{"answers too late", func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done() // until PHP has given up
		}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			requests.Store(0)
			answer = c.answer
			s := script{env: map[string]string{"BITVILLE_URL": srv.URL, "BITVILLE_CA_PATH": ca, "BITVILLE_TIMEOUT_MS": "1000", "TMPDIR": t.TempDir()}}
			for range 2 {
				out, _, err := s.run(t)
				require.NoError(t, err)
				require.Empty(t, out)
			}
			require.Equal(t, c.want, requests.Load())
			if c.want == 2 {
				return
			}
			s.env["BITVILLE_BREAKER_S"] = "0" // none
			_, _, err := s.run(t)
			require.NoError(t, err)
			require.Equal(t, c.want+1, requests.Load())
			s.env["BITVILLE_BREAKER_S"], s.env["BITVILLE_URL"] = "10", srv.URL+"/another" // a URL, a breaker
			_, _, err = s.run(t)
			require.NoError(t, err)
			require.Equal(t, c.want+2, requests.Load())
		})
	}
	t.Run("silent from the first byte", func(t *testing.T) {
		silent, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer silent.Close()
		s := script{env: map[string]string{"BITVILLE_URL": "https://" + silent.Addr().String(), "TMPDIR": t.TempDir(), "BITVILLE_DEBUG": "1"}, ini: []string{"log_errors=1"}}
		out, _, err := s.run(t)
		require.NoError(t, err)
		require.Contains(t, out, "no answer within 200 ms")
		out, _, err = s.run(t)
		require.NoError(t, err)
		require.Empty(t, out, "it is not tried again")
	})
}

// TestRequest is what goes over the wire.
func TestRequest(t *testing.T) {
	requireTools(t)
	var got *http.Request
	var body []byte
	srv := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		got = r
		if unzip, err := gzip.NewReader(r.Body); err == nil {
			body, _ = io.ReadAll(unzip)
		}
	}))
	ca := certificate(t, srv)
	_, _, err := script{env: map[string]string{"BITVILLE_URL": srv.URL + "/base", "BITVILLE_CA_PATH": ca, "TMPDIR": t.TempDir()}}.run(t)
	require.NoError(t, err)
	require.NotNil(t, got)
	require.Equal(t, []string{"POST", "/base/ingest/php", "Bearer " + listenertest.Key, "application/json", "gzip"},
		[]string{got.Method, got.URL.Path, got.Header.Get("Authorization"), got.Header.Get("Content-Type"), got.Header.Get("Content-Encoding")})
	require.JSONEq(t, `"shop"`, string(body[len(`{"project":`):len(`{"project":"shop"`)]))
}
