package web_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/web"
)

// TestRoutes sends request lines as they stand, for a client would clean them, to a real server, for it
// could do so too.
func TestRoutes(t *testing.T) {
	const health, ingest = "GET, HEAD", "POST"
	for _, c := range []struct {
		line   string
		status int
		allow  string
	}{
		{"GET /health", 200, ""},
		{"HEAD /health", 200, ""},
		{"GET /health?deep=1", 200, ""},
		{"GET http://elsewhere/health", 200, ""}, // as a proxy is asked
		{"POST /ingest/php", 200, ""},
		{"POST /", 200, ""},

		{"POST /health", 405, health},
		{"OPTIONS /health", 405, health},
		{"CONNECT /health", 405, health},
		{"GET /ingest/php", 405, ingest},
		{"HEAD /ingest/php", 405, ingest},
		{"PUT /ingest/php", 405, ingest},
		{"PATCH /ingest/php", 405, ingest},
		{"DELETE /ingest/php", 405, ingest},
		{"OPTIONS /ingest/php", 405, ingest},
		{"CONNECT /ingest/php", 405, ingest},
		{"TRACE /ingest/php", 405, ingest},
		{"post /ingest/php", 405, ingest}, // methods are case-sensitive
		{"BREW /ingest/php", 405, ingest},
		{"PRI /ingest/php", 405, ingest},
		{"GET /", 405, ingest},
		{"HEAD /", 405, ingest},

		{"GET /nowhere", 404, ""},
		{"BREW /nowhere", 404, ""},
		{"HEAD /nowhere", 404, ""},
		{"OPTIONS /nowhere", 404, ""},
		{"POST //ingest/php", 404, ""},
		{"POST /ingest//php", 404, ""},
		{"POST /ingest/php/", 404, ""},
		{"POST /ingest/php/x", 404, ""},
		{"POST /ingest/ph", 404, ""},
		{"POST /ingest/phpx", 404, ""},
		{"POST /ingest", 404, ""},
		{"POST /Ingest/PHP", 404, ""},
		{"POST /./ingest/php", 404, ""},
		{"POST /x/../ingest/php", 404, ""},
		{"POST /ingest%2Fphp", 404, ""}, // one segment, which is not two
		{"POST /%2e/ingest/php", 404, ""},
		{"POST /ingest/php%20", 404, ""},
		{"POST /ingest/php;v=1", 404, ""},
		{"POST /ingest\\php", 404, ""},
		{"GET //health", 404, ""},
		{"GET /health/", 404, ""},
		{"GET /health%00", 404, ""},
		{"POST //", 404, ""},
		{"GET *", 404, ""},
		{"CONNECT elsewhere:443", 404, ""},
	} {
		t.Run(c.line, func(t *testing.T) {
			h := web.New(web.Config{Log: slog.New(slog.DiscardHandler), Observe: unobserved}, web.Routes{"GET /health": ok, "POST /ingest/php": ok, "POST /": ok})
			method, _, _ := strings.Cut(c.line, " ")
			resp, body := exchange(t, h, method, c.line+" HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n")
			require.Equal(t, c.status, resp.StatusCode)
			require.Equal(t, c.allow, resp.Header.Get("Allow"))
			require.NotEmpty(t, resp.Header.Get("X-Request-Id"))
			switch {
			case method == "HEAD":
				require.Empty(t, body)
				require.Positive(t, resp.ContentLength, "what GET's body would be long")
			case c.status == 200:
				require.Equal(t, "OK", body)
			default:
				requireError(t, resp.Header, body)
			}
		})
	}
}

// requireError holds an answer against the form of every error: JSON with a text under "error".
func requireError(t testing.TB, header http.Header, body string) map[string]any {
	t.Helper()
	require.Equal(t, "application/json", header.Get("Content-Type"))
	var answer map[string]any
	require.NoError(t, json.Unmarshal([]byte(body), &answer), "%s", body)
	require.NotEmpty(t, answer["error"])
	require.IsType(t, "", answer["error"])
	return answer
}

func TestUnroutedTexts(t *testing.T) {
	h := web.New(web.Config{Log: slog.New(slog.DiscardHandler), Observe: unobserved}, web.Routes{"GET /a": ok, "POST /a": ok})
	for _, c := range []struct {
		method, path, body string
	}{
		{"GET", "/b", `{"error":"Not found"}`},
		{"PUT", "/a", `{"error":"Method not allowed: use GET, HEAD, POST"}`},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		require.JSONEq(t, c.body, w.Body.String())
	}
}

// TestAllowNamesEachMethodOnce makes the handler anew each time: New walks a map, whose order is random.
func TestAllowNamesEachMethodOnce(t *testing.T) {
	for range 200 {
		h := web.New(web.Config{Log: slog.New(slog.DiscardHandler), Observe: unobserved}, web.Routes{"GET /health": ok, "GET /ready": ok, "POST /ready": ok})
		for path, allow := range map[string]string{"/health": "GET, HEAD", "/ready": "GET, HEAD, POST"} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(http.MethodDelete, path, nil))
			require.Equal(t, allow, w.Header().Get("Allow"))
		}
	}
}

// Two functions' handlers may be made of one table.
func TestNewLeavesTheRoutesAsTheyAre(t *testing.T) {
	routes := web.Routes{"GET /health": ok}
	web.New(web.Config{Log: slog.New(slog.DiscardHandler), Observe: unobserved}, routes)
	require.Len(t, routes, 1)
}

func TestWithoutRoutesAllIsNotFound(t *testing.T) {
	for _, routes := range []web.Routes{nil, {}} {
		for _, path := range []string{"/", "/health"} {
			w := httptest.NewRecorder()
			web.New(web.Config{Log: slog.New(slog.DiscardHandler), Observe: unobserved}, routes).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			require.Equal(t, http.StatusNotFound, w.Code)
			requireError(t, w.Header(), w.Body.String())
		}
	}
}

func TestHandlersGetTheirOwnRoute(t *testing.T) {
	says := func(text string) web.Handler {
		return func(w *web.Response, _ *http.Request) error {
			w.Text(http.StatusOK, text)
			return nil
		}
	}
	h := web.New(web.Config{Log: slog.New(slog.DiscardHandler), Observe: unobserved}, web.Routes{"GET /a": says("get a"), "POST /a": says("post a"), "GET /b": says("get b"), "GET /": says("root")})
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/a", "get a"}, {"POST", "/a", "post a"}, {"GET", "/b", "get b"}, {"GET", "/", "root"},
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		require.Equal(t, c.body, w.Body.String())
	}
}

// A pattern's wildcards are the handler's, metrics see the pattern, and a path that is not clean is not found either.
func TestPatterns(t *testing.T) {
	seen := make(chan web.Observation, 1)
	says := func(name string) web.Handler {
		return func(w *web.Response, r *http.Request) error {
			w.Text(http.StatusOK, name+":"+r.PathValue("id"))
			return nil
		}
	}
	h := web.New(web.Config{Log: slog.New(slog.DiscardHandler), Observe: func(o web.Observation) { seen <- o }},
		web.Routes{"GET /a/{id}": says("one"), "GET /a/all": says("all")}, web.Routes{"POST /b/{id...}": says("rest")})
	for _, c := range []struct {
		line, body, path string
		status           int
	}{
		{"GET /a/7", "one:7", "/a/{id}", 200},
		{"GET /a/x%2Fy", "one:x/y", "/a/{id}", 200},
		{"GET /a/all", "all:", "/a/all", 200},
		{"POST /b/x/y", "rest:x/y", "/b/{id...}", 200},
		{"POST /a/7", "", "/a/{id}", 405},
		{"GET /b/x", "", "/b/{id...}", 405},
		{"GET /a//7", "", "", 404},
		{"GET /a/../a/7", "", "", 404},
		{"GET /a/", "", "", 404},
		{"CONNECT /a/../b/7", "", "", 404},
	} {
		method, _, _ := strings.Cut(c.line, " ")
		resp, body := exchange(t, h, method, c.line+" HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n")
		require.Equal(t, c.status, resp.StatusCode, c.line)
		require.Equal(t, c.path, (<-seen).Path, c.line)
		if c.status == 200 {
			require.Equal(t, c.body, body, c.line)
		}
	}
}

// Two functions cannot have one pattern: the host would not start.
func TestPatternsOfTwoFunctions(t *testing.T) {
	require.Panics(t, func() {
		web.New(web.Config{Log: slog.New(slog.DiscardHandler), Observe: unobserved}, web.Routes{"GET /x": ok}, web.Routes{"GET /x": ok})
	})
}
