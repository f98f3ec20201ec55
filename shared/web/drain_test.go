package web_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/web"
)

// refusing serves, over TLS, handlers that refuse a request before they have read its body.
func refusing(t *testing.T) (*httptest.Server, *logLines) {
	t.Helper()
	var log logLines
	refuse := func(status int) web.Handler {
		return func(*web.Response, *http.Request) error { return &web.Error{Status: status, Text: "Refused"} }
	}
	server := httptest.NewUnstartedServer(web.New(web.Config{Log: log.logger(slog.LevelInfo), Observe: unobserved}, web.Routes{
		"POST /401": refuse(http.StatusUnauthorized),
		"POST /415": refuse(http.StatusUnsupportedMediaType),
		"POST /half": func(_ *web.Response, r *http.Request) error {
			_, _ = io.CopyN(io.Discard, r.Body, 2<<20)
			return &web.Error{Status: http.StatusRequestEntityTooLarge, Text: "Refused"}
		},
		"POST /ok": ok,
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	server.Config.ConnContext = func(ctx context.Context, conn net.Conn) context.Context {
		narrow(conn)
		return ctx
	}
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, &log
}

// narrow gives a connection the small buffers that it has over a network: those of one machine hold megabytes,
// and hide that nobody reads.
func narrow(conn net.Conn) {
	if c, ok := conn.(*tls.Conn); ok {
		conn = c.NetConn()
	}
	_ = conn.(*net.TCPConn).SetReadBuffer(32 << 10)
	_ = conn.(*net.TCPConn).SetWriteBuffer(32 << 10)
}

// dial connects as a client that speaks HTTP/1.1 and has no patience.
func dial(t *testing.T, server *httptest.Server, patience time.Duration) net.Conn {
	t.Helper()
	config := server.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos = []string{"http/1.1"}
	config.ServerName = "example.com"
	conn, err := tls.Dial("tcp", server.Listener.Addr().String(), config)
	require.NoError(t, err)
	narrow(conn)
	t.Cleanup(func() { conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	return conn
}

// chunked writes body in chunks, and the end of it.
func chunked(body []byte) []byte {
	var out bytes.Buffer
	const size = 100_000
	for len(body) > 0 {
		n := min(len(body), size)
		fmt.Fprintf(&out, "%x\r\n%s\r\n", n, body[:n])
		body = body[n:]
	}
	out.WriteString("0\r\n\r\n")
	return out.Bytes()
}

// TestRefusedBodiesAreDrained is a client as agents have it: it writes its whole body before it reads the
// answer. Without patience on the server's side it would write into a closed connection, and its error
// would be a reset in place of the answer that says what is wrong.
func TestRefusedBodiesAreDrained(t *testing.T) {
	body := bytes.Repeat([]byte("x"), 4<<20)
	for _, c := range []struct {
		path     string
		status   int
		attempts int
	}{{"/401", 401, 20}, {"/415", 415, 20}, {"/half", 413, 5}, {"/nowhere", 404, 5}} {
		for form, send := range map[string]struct {
			header string
			body   []byte
		}{
			"length":  {fmt.Sprintf("Content-Length: %d", len(body)), body},
			"chunked": {"Transfer-Encoding: chunked", chunked(body)},
		} {
			t.Run(c.path+" "+form, func(t *testing.T) {
				t.Parallel()
				server, log := refusing(t)
				for i := range c.attempts {
					conn := dial(t, server, 30*time.Second)
					_, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: example.com\r\n%s\r\n\r\n", c.path, send.header)
					require.NoError(t, err)
					_, err = conn.Write(send.body)
					require.NoError(t, err, "attempt %d: the body could not be sent whole", i)
					resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
					require.NoError(t, err, "attempt %d: no answer", i)
					answer, err := io.ReadAll(resp.Body)
					require.NoError(t, err)
					require.Equal(t, c.status, resp.StatusCode)
					requireError(t, resp.Header, string(answer))
					require.NoError(t, conn.Close())
				}
				server.Close()
				lines := log.all(t)
				require.Len(t, lines, c.attempts)
				for _, line := range lines {
					require.EqualValues(t, c.status, line["status"])
				}
			})
		}
	}
}

func TestRefusedBodiesOverHTTP2(t *testing.T) {
	server, _ := refusing(t)
	for range 20 {
		resp, err := server.Client().Post(server.URL+"/401", "application/json", bytes.NewReader(make([]byte, 4<<20)))
		require.NoError(t, err)
		answer, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		require.NoError(t, err)
		require.Equal(t, 2, resp.ProtoMajor)
		require.Equal(t, 401, resp.StatusCode)
		requireError(t, resp.Header, string(answer))
	}
}

// curl 7.88 sends on over HTTP/2 when it has an error's headers, and throws an answer away when the reset comes before it has
// read it: one in five.
func TestRefusedBodiesOfCurlOverHTTP2(t *testing.T) {
	curl, err := exec.LookPath("curl")
	if err != nil {
		t.Skip("curl is not installed: apt install curl")
	}
	if out, _ := exec.Command(curl, "--version").Output(); !bytes.Contains(out, []byte("HTTP2")) {
		t.Skip("this curl knows no HTTP/2")
	}
	server, _ := refusing(t)
	body := filepath.Join(t.TempDir(), "body")
	require.NoError(t, os.WriteFile(body, make([]byte, 5_000_000), 0o600))
	for _, c := range []struct{ path, status string }{{"/401", "401"}, {"/half", "413"}} {
		for i := range 40 {
			var stderr strings.Builder
			cmd := exec.CommandContext(t.Context(), curl, "--silent", "--show-error", "--insecure", "--http2", "--max-time", "20",
				"--data-binary", "@"+body, "--write-out", " %{http_version} %{http_code}", server.URL+c.path)
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			require.NoError(t, err, "attempt %d: %s%s", i, out, stderr.String())
			require.Equal(t, `{"error":"Refused"} 2 `+c.status, string(out))
		}
	}
}

// A body over HTTP/2 of which nothing comes keeps neither the handler nor the end of the answer.
func TestDrainOverHTTP2Ends(t *testing.T) {
	server, log := refusing(t)
	standing, feed := io.Pipe()
	defer feed.Close()
	resp, err := server.Client().Post(server.URL+"/401", "application/json", standing)
	require.NoError(t, err)
	require.Equal(t, 2, resp.ProtoMajor)
	requireBody(t, resp)
	require.NoError(t, resp.Body.Close())
	server.Close()
	require.EqualValues(t, 0, log.one(t)["bytes"])
}

// A client that asks before it sends its body is told no, and sends none.
func TestExpectContinueIsAnsweredAtOnce(t *testing.T) {
	server, log := refusing(t)
	conn := dial(t, server, 2*time.Second)
	_, err := fmt.Fprintf(conn, "POST /401 HTTP/1.1\r\nHost: example.com\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", 4<<20)
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.Equal(t, 401, resp.StatusCode)
	require.True(t, resp.Close, "what comes next on this connection could be the body")
	_, err = io.Copy(io.Discard, conn)
	require.NoError(t, err, "the server waits for a body that does not come")
	server.Close()
	require.EqualValues(t, 0, log.one(t)["bytes"])
}

// The answer does not wait for the body: a client that reads while it writes has it at once.
func TestRefusalComesBeforeTheBody(t *testing.T) {
	for _, length := range []string{"Content-Length: 4194304", "Content-Length: 200000", "Content-Length: 1000", "Transfer-Encoding: chunked"} {
		t.Run(length, func(t *testing.T) {
			t.Parallel()
			server, _ := refusing(t)
			conn := dial(t, server, 10*time.Second)
			start := time.Now()
			_, err := fmt.Fprintf(conn, "POST /401 HTTP/1.1\r\nHost: example.com\r\n%s\r\n\r\n", length)
			require.NoError(t, err)
			r := bufio.NewReader(conn)
			resp, err := http.ReadResponse(r, nil)
			require.NoError(t, err)
			require.Equal(t, 401, resp.StatusCode)
			requireBody(t, resp)
			require.Less(t, time.Since(start), 4*time.Second, "answered before the body could have come")
			_, err = io.Copy(io.Discard, r)
			require.NoError(t, err, "the connection is closed, since the body never came")
		})
	}
}

func requireBody(t *testing.T, resp *http.Response) {
	t.Helper()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	requireError(t, resp.Header, string(answer))
}

// Draining ends: a body without an end is cut, and so is one that stands still.
func TestDrainIsBounded(t *testing.T) {
	t.Run("bytes", func(t *testing.T) {
		t.Parallel()
		server, log := refusing(t)
		conn := dial(t, server, 20*time.Second)
		_, err := io.WriteString(conn, "POST /401 HTTP/1.1\r\nHost: example.com\r\nTransfer-Encoding: chunked\r\n\r\n")
		require.NoError(t, err)
		chunk := fmt.Appendf(nil, "%x\r\n%s\r\n", 1<<20, make([]byte, 1<<20))
		for sent := 0; err == nil; sent++ {
			require.Less(t, sent, 64, "a body of 64 MiB was taken")
			_, err = conn.Write(chunk)
		}
		server.Close()
		require.LessOrEqual(t, log.one(t)["bytes"], float64(8<<20))
	})
	t.Run("time", func(t *testing.T) {
		t.Parallel()
		server, log := refusing(t)
		conn := dial(t, server, 20*time.Second)
		_, err := fmt.Fprintf(conn, "POST /401 HTTP/1.1\r\nHost: example.com\r\nContent-Length: %d\r\n\r\n", 4<<20)
		require.NoError(t, err)
		start := time.Now()
		_, err = io.Copy(io.Discard, conn) // the answer, and the end of the connection
		require.NoError(t, err)
		require.Less(t, time.Since(start), 10*time.Second)
		server.Close()
		log.one(t)
	})
}

// A connection goes on after a small body that was not read.
func TestConnectionsAreKeptAfterARefusal(t *testing.T) {
	server, _ := refusing(t)
	conn := dial(t, server, 10*time.Second)
	r := bufio.NewReader(conn)
	for i := range 10 {
		path, status := "/401", 401
		if i%2 == 1 {
			path, status = "/ok", 200
		}
		_, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: example.com\r\nContent-Length: 1000\r\n\r\n%s", path, make([]byte, 1000))
		require.NoError(t, err)
		resp, err := http.ReadResponse(r, nil)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		require.Equal(t, status, resp.StatusCode)
		require.False(t, resp.Close)
	}
}
