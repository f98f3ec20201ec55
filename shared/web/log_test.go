package web_test

import (
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/web"
)

// always are the attributes of every access log line, beside slog's own three.
var always = []string{"bytes", "duration_ms", "level", "method", "msg", "path", "remote", "request_id", "status", "time"}

func TestAccessLog(t *testing.T) {
	read := func(n int64) web.Handler {
		return func(w *web.Response, r *http.Request) error {
			_, _ = io.CopyN(io.Discard, r.Body, n)
			w.Text(http.StatusOK, "OK")
			return nil
		}
	}
	more := func(w *web.Response, r *http.Request) error {
		w.Log(slog.String("project", "shop"))
		w.Log(slog.Int("accepted", 2), slog.Int("duplicates", 1))
		return read(100)(w, r)
	}
	for _, c := range []struct {
		name    string
		request string
		handler web.Handler
		extra   []string
		want    map[string]any
	}{
		{"a body that is read", "POST /x", read(100), nil, map[string]any{"level": "INFO", "msg": "request", "method": "POST", "path": "/x", "status": 200.0, "bytes": 10.0}},
		{"a body that is read in part", "POST /x", read(4), nil, map[string]any{"bytes": 4.0}},
		{"a body that is not read", "POST /x", read(0), nil, map[string]any{"bytes": 0.0}},
		{"a handler's attributes", "POST /x", more, []string{"project", "accepted", "duplicates"}, map[string]any{"project": "shop", "accepted": 2.0, "duplicates": 1.0}},
		{"not found", "POST /nowhere", nil, []string{"error"}, map[string]any{"level": "INFO", "status": 404.0, "path": "/nowhere", "error": "Not found"}},
		{"another method", "PUT /x", nil, []string{"error"}, map[string]any{"level": "INFO", "status": 405.0, "method": "PUT"}},
		{"an error", "POST /x", func(*web.Response, *http.Request) error { return errors.New("of the ledger") }, []string{"error"}, map[string]any{"level": "ERROR", "status": 500.0, "error": "of the ledger"}},
		{"a refusal", "POST /x", func(*web.Response, *http.Request) error { return &web.Error{Status: 401, Text: "Who?"} }, []string{"error"}, map[string]any{"level": "INFO", "status": 401.0, "error": "Who?"}},
		{"a 503 that the handler wrote", "POST /x", func(w *web.Response, _ *http.Request) error { return w.JSON(503, nil) }, nil, map[string]any{"level": "ERROR", "status": 503.0}},
		{"a 400 that the handler wrote", "POST /x", func(w *web.Response, _ *http.Request) error { return w.JSON(400, nil) }, nil, map[string]any{"level": "INFO", "status": 400.0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			method, path, _ := strings.Cut(c.request, " ")
			r := httptest.NewRequest(method, path+"?token=hidden", strings.NewReader("hidden-10b"))
			r.Header.Set("Authorization", "Bearer hidden")
			r.Header.Set("Cookie", "hidden=hidden")
			r.Header.Set("User-Agent", "hidden")
			r.RemoteAddr = "203.0.113.9:4711"
			var log logLines
			w := httptest.NewRecorder()
			web.New(web.Config{Log: log.logger(slog.LevelDebug), Observe: unobserved}, web.Routes{"POST /x": c.handler}).ServeHTTP(w, r)
			line := log.one(t)
			require.ElementsMatch(t, append(slices.Clone(always), c.extra...), slices.Collect(maps.Keys(line)))
			for name, want := range c.want {
				require.Equal(t, want, line[name], name)
			}
			require.Equal(t, "203.0.113.9:4711", line["remote"])
			require.Equal(t, w.Header().Get("X-Request-Id"), line["request_id"])
			require.IsType(t, 0.0, line["duration_ms"])
			require.GreaterOrEqual(t, line["duration_ms"], 0.0)
			require.NotContains(t, log.buf.String(), "hidden", "no query, no header and no payload is logged")
		})
	}
}

func TestAccessLogLevel(t *testing.T) {
	fail := func(*web.Response, *http.Request) error { return errors.New("of the ledger") }
	for _, c := range []struct {
		level   slog.Level
		handler web.Handler
		lines   int
	}{
		{slog.LevelInfo, ok, 1},
		{slog.LevelWarn, ok, 0},
		{slog.LevelError, ok, 0},
		{slog.LevelError, fail, 1},
		{slog.LevelError + 1, fail, 0},
	} {
		var log logLines
		web.New(web.Config{Log: log.logger(c.level), Observe: unobserved}, web.Routes{"GET /x": c.handler}).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/x", nil))
		require.Len(t, log.all(t), c.lines)
	}
}

// TestAccessLogLinesAreShort holds a line against what a client can make it hold: a method and a path of
// any length, an error that repeats the body, a stack.
func TestAccessLogLinesAreShort(t *testing.T) {
	const most = 2048 + len("…")
	long := strings.Repeat("x", 100_000)
	deep := func() { panic(long) }
	for name, h := range map[string]web.Handler{
		"error": func(*web.Response, *http.Request) error { return errors.New(long) },
		"cause": func(*web.Response, *http.Request) error {
			return &web.Error{Status: 503, Text: "No", Cause: errors.New(long)}
		},
		"panic": func(*web.Response, *http.Request) error { deep(); return nil },
		"none":  ok,
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/"+long, nil)
			r.Method = long
			r.Header.Set("X-Request-Id", long)
			_, log := serve(t, h, r)
			line := log.one(t)
			require.Len(t, line["method"], most)
			require.Len(t, line["path"], most)
			require.Len(t, line["request_id"], 26)
			if name != "none" {
				require.Len(t, line["error"], most)
			}
			for _, value := range line {
				if text, ok := value.(string); ok && len(text) > 2048 {
					require.True(t, strings.HasSuffix(text, "…"), "what is cut says so")
				}
			}
		})
	}
	t.Run("as long as it may be", func(t *testing.T) {
		_, log := serve(t, ok, httptest.NewRequest("POST", "/"+long[:2047], nil))
		require.Equal(t, "/"+long[:2047], log.one(t)["path"])
	})
}

// A client cannot make a line of its own.
func TestAccessLogLinesCannotBeForged(t *testing.T) {
	r := httptest.NewRequest("POST", "/x", nil)
	r.URL.Path = "/x\n{\"level\":\"ERROR\",\"msg\":\"forged\"}\x1b[31m"
	for _, handler := range []func(io.Writer) slog.Handler{
		func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
		func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
	} {
		var out strings.Builder
		web.New(web.Config{Log: slog.New(handler(&out)), Observe: unobserved}, nil).ServeHTTP(httptest.NewRecorder(), r)
		require.Equal(t, 1, strings.Count(out.String(), "\n"))
		require.NotContains(t, out.String(), "\x1b")
	}
}

// Requests at one time have a line each.
func TestAccessLogOfManyRequests(t *testing.T) {
	var log logLines
	server := httptest.NewServer(web.New(web.Config{Log: log.logger(slog.LevelInfo), Observe: unobserved}, web.Routes{"GET /x": ok}))
	client := server.Client()
	const clients, each = 8, 25
	done := make(chan error, clients)
	for range clients {
		go func() {
			for range each {
				resp, err := client.Get(server.URL + "/x")
				if err != nil {
					done <- err
					return
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
			done <- nil
		}()
	}
	for range clients {
		require.NoError(t, <-done)
	}
	server.Close()
	lines := log.all(t)
	require.Len(t, lines, clients*each)
	ids := make(map[any]bool)
	for _, line := range lines {
		ids[line["request_id"]] = true
	}
	require.Len(t, ids, clients*each)
}
