package intake

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/web"
)

// A body that breaks off is told from one that is framed wrongly, and both from a client that went away.
func TestBrokenBodies(t *testing.T) {
	const head = "POST /ingest/php HTTP/1.1\r\nHost: listener\r\nAuthorization: Bearer " + key + "\r\n"
	for name, c := range map[string]struct {
		request string
		end     func(*net.TCPConn) error
		status  int
		says    string
	}{
		"shorter than its length": {head + "Content-Length: 10\r\n\r\n{}", (*net.TCPConn).CloseWrite, 400, "ended before its length"},
		"no last chunk":           {head + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", (*net.TCPConn).CloseWrite, 400, "ended before its length"},
		"no size of a chunk":      {head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", nil, 400, "chunked encoding is malformed"},
		"lines end with LF alone": {head + "Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n", nil, 400, "chunked encoding is malformed"},
		"the client went away": {head + "Content-Length: 10\r\n\r\n{}", func(c *net.TCPConn) error {
			_ = c.SetLinger(0)
			return c.Close()
		}, web.StatusClientGone, ""},
	} {
		t.Run(name, func(t *testing.T) {
			server, seen := observed(t, (*httptest.Server).Start)
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			require.NoError(t, err)
			defer conn.Close()
			_, err = io.WriteString(conn, c.request)
			require.NoError(t, err)
			if c.end != nil {
				require.NoError(t, c.end(conn.(*net.TCPConn)))
			}
			require.Equal(t, c.status, (<-seen).Status)
			if c.says != "" {
				answer, err := io.ReadAll(conn)
				require.NoError(t, err)
				require.Contains(t, string(answer), c.says)
			}
		})
	}
	t.Run("the client went away, HTTP/2", func(t *testing.T) {
		server, seen := observed(t, func(s *httptest.Server) {
			s.EnableHTTP2 = true
			s.StartTLS()
		})
		ctx, cancel := context.WithCancel(t.Context())
		body, feed := io.Pipe()
		go func() {
			_, _ = io.WriteString(feed, "{")
			cancel()
		}()
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/ingest/php", body)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+key)
		_, err = server.Client().Do(r)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, web.StatusClientGone, (<-seen).Status)
	})
}

// observed serves the handler and tells of each request.
func observed(t *testing.T, start func(*httptest.Server)) (*httptest.Server, <-chan web.Observation) {
	seen := make(chan web.Observation, 1)
	_, cfg := newHandler(released(), nil)
	server := httptest.NewUnstartedServer(served(*cfg, func(o web.Observation) { seen <- o }))
	start(server)
	t.Cleanup(server.Close)
	return server, seen
}
