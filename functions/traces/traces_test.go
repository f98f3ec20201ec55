package traces_test

import (
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/functions/traces"
	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/view/viewtest"
	"github.com/bitville/listener/shared/web"
)

var update = flag.Bool("update", false, "write the goldens anew")

const (
	key     = "read-key-of-the-shop"
	product = "e8673bf2-8014-425e-8dcd-18f64f8c3668"
)

// now is half an hour after the batch.
var now = time.Date(2026, 11, 22, 21, 28, 0, 0, time.UTC)

func batch(t testing.TB) *viewtest.Memory {
	raw, err := os.ReadFile("../../testdata/payloads/batch.ndjson")
	require.NoError(t, err)
	m, err := viewtest.New(raw)
	require.NoError(t, err)
	return m
}

// config is of a reader of shop and one of everything.
func config(m *viewtest.Memory) traces.Config {
	clock := func() time.Time { return now }
	return traces.Config{
		Store:    m,
		Readers:  auth.NewReaders([]auth.Key{{Project: "shop", Secret: key}, {Project: auth.AllProjects, Secret: "read-key-of-everything"}}),
		Throttle: auth.NewThrottle(5, clock),
		Now:      clock,
	}
}

// handler serves what a configuration has.
func handler(cfg traces.Config) http.Handler { return logged(cfg, slog.New(slog.DiscardHandler)) }

func logged(cfg traces.Config, log *slog.Logger) http.Handler {
	return web.New(web.Config{Log: log, Observe: func(web.Observation) {}}, traces.New(cfg))
}

// get asks with the shop's read key.
func get(h http.Handler, path, accept string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Authorization", "Bearer "+key)
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

const browser = "text/html,application/xhtml+xml,*/*;q=0.8"

var pages = []string{
	"/traces/", "/traces/shop", "/traces/shop/requests", "/traces/shop/requests?since=7d&limit=500", "/traces/shop/routes", "/traces/shop/statements?since=1h",
	"/traces/shop/routes/e5800c178338e86c", "/traces/shop/statements/q-4809347790509537418", "/traces/shop/" + product,
	"/traces/shop/" + product + "/profile", "/traces/shop/" + product + "/profile?function=3", "/traces/shop/" + product + "/plan/2",
}

func TestPages(t *testing.T) {
	h := handler(config(batch(t)))
	for _, path := range pages {
		w := get(h, path, browser)
		if path == "/traces/" { // there is one project
			require.Equal(t, http.StatusSeeOther, w.Code)
			require.Equal(t, "/traces/shop", w.Header().Get("Location"))
		} else {
			require.Equal(t, http.StatusOK, w.Code, "%s: %s", path, w.Body)
			require.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
			require.Less(t, w.Body.Len(), 300<<10, path)
			require.NotContains(t, w.Body.String(), "ZgotmplZ", path)
			require.NotRegexp(t, `(?i) style=| on[a-z]+=`, w.Body.String(), path)
		}
		for _, accept := range []string{"", "*/*", "application/json"} {
			w = get(h, path, accept)
			require.Equal(t, http.StatusOK, w.Code, path)
			require.Equal(t, "application/json", w.Header().Get("Content-Type"), path)
		}
	}
	for _, path := range pages {
		path, query, _ := strings.Cut(path, "?")
		w := get(h, path+".json?"+query, browser)
		require.Equal(t, http.StatusOK, w.Code, path)
		require.Equal(t, get(h, path+"?"+query, "").Body.String(), w.Body.String(), path)
	}
	w := get(h, "/traces/shop/"+product+".json", browser)
	require.Contains(t, w.Body.String(), `"verdict":"8.28 of 15.0 ms went between`)
}

// TestGolden holds the look as JSON and as HTML.
func TestGolden(t *testing.T) {
	h := handler(config(batch(t)))
	for name, accept := range map[string]string{"look.json": "application/json", "look.html": browser} {
		got := get(h, "/traces/shop/"+product, accept).Body.Bytes()
		got = []byte(strings.ReplaceAll(string(got), "?v="+version(t, h), "?v=VERSION"))
		if *update {
			require.NoError(t, os.MkdirAll("testdata", 0o755))
			require.NoError(t, os.WriteFile("testdata/"+name, got, 0o644))
		}
		want, err := os.ReadFile("testdata/" + name)
		require.NoError(t, err, "run the test with -update")
		require.Equal(t, string(want), string(got), name)
	}
}

func version(t *testing.T, h http.Handler) string {
	_, rest, ok := strings.Cut(get(h, "/traces/login", browser).Body.String(), "style.css?v=")
	require.True(t, ok)
	return rest[:12]
}
