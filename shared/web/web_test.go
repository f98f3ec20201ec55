package web_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/web"
)

// logLines collects a JSON log.
type logLines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logLines) logger(level slog.Level) *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: level}))
}

// all decodes the lines.
func (l *logLines) all(t testing.TB) (lines []map[string]any) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	d := json.NewDecoder(bytes.NewReader(l.buf.Bytes()))
	for d.More() {
		var line map[string]any
		require.NoError(t, d.Decode(&line))
		lines = append(lines, line)
	}
	return lines
}

// one returns the only line.
func (l *logLines) one(t testing.TB) map[string]any {
	t.Helper()
	lines := l.all(t)
	require.Len(t, lines, 1)
	return lines[0]
}

// serve answers one request in-process, on one route that the handler has.
func serve(t testing.TB, h web.Handler, r *http.Request) (*httptest.ResponseRecorder, *logLines) {
	t.Helper()
	var log logLines
	w := httptest.NewRecorder()
	web.New(web.Config{Log: log.logger(slog.LevelDebug), Observe: unobserved}, web.Routes{r.Method + " " + r.URL.Path: h}).ServeHTTP(w, r)
	return w, &log
}

// ok is a handler that answers 200.
// unobserved is for tests that count nothing.
func unobserved(web.Observation) {}

func ok(w *web.Response, _ *http.Request) error {
	w.Text(http.StatusOK, "OK")
	return nil
}

// exchange sends text as it stands to a real server and reads one answer. method is the request's, for it
// tells whether a body follows.
func exchange(t testing.TB, h http.Handler, method, text string) (*http.Response, string) {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = conn.Write([]byte(text))
	require.NoError(t, err)
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	require.NoError(t, err)
	defer resp.Body.Close()
	var body bytes.Buffer
	_, err = body.ReadFrom(resp.Body)
	require.NoError(t, err)
	return resp, body.String()
}

func TestRequestID(t *testing.T) {
	for _, c := range []struct {
		name   string
		ids    []string
		echoed bool
	}{
		{"one character", []string{"x"}, true},
		{"a UUID", []string{"d37cc455-87f5-457f-b02d-86776b296414"}, true},
		{"128 characters", []string{strings.Repeat("x", 128)}, true},
		{"space inside", []string{"a b"}, true},
		{"all that can be printed", []string{`!"#$%&'()*+,-./09:;<=>?@AZ[\]^_az{|}~` + "`"}, true},
		{"none", nil, false},
		{"empty", []string{""}, false},
		{"129 characters", []string{strings.Repeat("x", 129)}, false},
		{"not ASCII", []string{"é"}, false},
		{"not UTF-8", []string{"a\xff"}, false},
		{"tab", []string{"a\tb"}, false},
		{"line feed", []string{"a\nSet-Cookie: b"}, false},
		{"NUL", []string{"a\x00"}, false},
		{"delete", []string{"a\x7f"}, false},
		{"two, the first counts", []string{"first", "second"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, path := range []string{"/here", "/nowhere"} {
				r := httptest.NewRequest(http.MethodGet, path, nil)
				if c.ids != nil {
					r.Header["X-Request-Id"] = c.ids
				}
				var log logLines
				w := httptest.NewRecorder()
				web.New(web.Config{Log: log.logger(slog.LevelInfo), Observe: unobserved}, web.Routes{"GET /here": ok}).ServeHTTP(w, r)
				got := w.Result().Header.Values("X-Request-Id")
				require.Len(t, got, 1)
				require.Equal(t, got[0], log.one(t)["request_id"])
				if c.echoed {
					require.Equal(t, c.ids[0], got[0])
				} else {
					require.Regexp(t, `^[A-Z2-7]{26}$`, got[0])
				}
			}
		})
	}
}

func TestGeneratedRequestIDsDiffer(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		w, _ := serve(t, ok, httptest.NewRequest(http.MethodGet, "/", nil))
		seen[w.Header().Get("X-Request-Id")] = true
	}
	require.Len(t, seen, 1000)
}
