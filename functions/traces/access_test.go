package traces_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/view/viewtest"
)

// do asks without a key, with the headers that are given in pairs.
func do(h http.Handler, method, path, form string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(form))
	if form != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestNoReadKeys holds that the read side is not there without a read key.
func TestNoReadKeys(t *testing.T) {
	cfg := config(batch(t))
	cfg.Readers = auth.NewReaders(nil)
	h := handler(cfg)
	for _, path := range append([]string{"/traces", "/traces/login", "/traces/assets/style.css", "/traces/x/y/z/u/v", "/traces/?key=" + key}, pages...) {
		for _, accept := range []string{browser, "application/json"} {
			w := do(h, http.MethodGet, path, "", "Accept", accept, "Authorization", "Bearer "+key)
			require.Equal(t, http.StatusNotFound, w.Code, path)
			require.Empty(t, w.Header().Get("Set-Cookie"))
		}
	}
	require.Equal(t, http.StatusNotFound, do(h, http.MethodPost, "/traces/login", "key="+key).Code)
}

// TestStrangers holds that who has no key learns nothing, also not what exists.
func TestStrangers(t *testing.T) {
	h := handler(config(batch(t)))
	for _, path := range append([]string{"/traces/nothing/at/all", "/traces/" + product}, pages...) {
		w := do(h, http.MethodGet, path, "", "Accept", "application/json")
		require.Equal(t, http.StatusUnauthorized, w.Code, path)
		require.Equal(t, "Bearer", w.Header().Get("WWW-Authenticate"))
		w = do(h, http.MethodGet, path, "", "Accept", browser)
		require.Equal(t, http.StatusSeeOther, w.Code, path)
		require.Equal(t, "/traces/login?next="+url.QueryEscape(path), w.Header().Get("Location"))
	}
}

// TestWrongKeys holds that wrong keys are told to wait after some, wherever they are tried, and that a good one never is.
func TestWrongKeys(t *testing.T) {
	h := handler(config(batch(t)))
	try := []func() int{
		func() int { return do(h, http.MethodGet, "/traces/shop", "", "Authorization", "Bearer wrong").Code },
		func() int { return do(h, http.MethodGet, "/traces/shop?key=wrong", "").Code },
		func() int { return do(h, http.MethodPost, "/traces/login", "key=wrong", "Accept", browser).Code },
		func() int { return do(h, http.MethodPost, "/traces/login", "key=wrong").Code },
	}
	for i := range 5 {
		require.Equal(t, http.StatusUnauthorized, try[i%len(try)](), i)
	}
	for i := range try {
		require.Equal(t, http.StatusTooManyRequests, try[i](), i)
	}
	require.Equal(t, http.StatusOK, get(h, "/traces/shop", "").Code)
	require.Equal(t, http.StatusSeeOther, do(h, http.MethodPost, "/traces/login", "key="+key).Code)
}

// TestOtherProjects holds that what a key may not see is as if it were not there.
func TestOtherProjects(t *testing.T) {
	m := batch(t)
	secret := m.Entries[0]
	secret.Project, secret.CorrelationID = "bank", "11111111-1111-4111-8111-111111111111"
	shared := secret
	shared.CorrelationID = product
	m.Entries = append(m.Entries, secret, shared)
	h := handler(config(m))
	const unknown = "22222222-2222-4222-8222-222222222222"
	for theirs, nobodys := range map[string]string{
		"/traces/" + secret.CorrelationID:           "/traces/" + unknown,
		"/traces/bank":                              "/traces/nobody",
		"/traces/bank/" + secret.CorrelationID:      "/traces/nobody/" + unknown,
		"/traces/shop/" + secret.CorrelationID:      "/traces/shop/" + unknown,
		"/traces/bank/requests":                     "/traces/nobody/requests",
		"/traces/bank/routes/af63a24c860189fe":      "/traces/nobody/routes/af63a24c860189fe",
		"/traces/bank/" + product + "/profile":      "/traces/nobody/" + product + "/profile",
		"/traces/bank/requests?since=x":             "/traces/nobody/requests?since=x",
		"/traces/project:bank/" + product + ".json": "/traces/project:nobody/" + product + ".json",
	} {
		for _, accept := range []string{browser, "application/json"} {
			a, b := get(h, theirs, accept), get(h, nobodys, accept)
			require.Equal(t, http.StatusNotFound, a.Code, theirs)
			require.Equal(t, b.Code, a.Code, theirs)
			require.Equal(t, b.Body.String(), a.Body.String(), theirs)
		}
	}
	require.NotContains(t, get(h, "/traces/", "").Body.String(), "bank")
	require.Equal(t, "/traces/shop/"+product, get(h, "/traces/"+product, "").Header().Get("Location"), "not asked which project: one is not the key's")

	all := func(path string) *httptest.ResponseRecorder {
		return do(h, http.MethodGet, path, "", "Authorization", "Bearer read-key-of-everything", "Accept", browser)
	}
	require.Contains(t, all("/traces/"+product).Body.String(), `href="/traces/bank/`+product)
	require.Equal(t, http.StatusOK, all("/traces/bank/"+secret.CorrelationID).Code)
}

// TestProjectsWithoutRecords holds that a key leads to its project before the first record, which its page tells how to send.
func TestProjectsWithoutRecords(t *testing.T) {
	cfg := config(&viewtest.Memory{})
	require.Equal(t, "/traces/shop", get(handler(cfg), "/traces/", browser).Header().Get("Location"))
	require.JSONEq(t, `{"projects":[{"project":"shop","requests":0,"statements":0}]}`, get(handler(cfg), "/traces/", "").Body.String())
	cfg.Readers = auth.NewReaders([]auth.Key{{Project: "shop", Secret: key}, {Project: "bank", Secret: key}, {Project: auth.AllProjects, Secret: "all"}})
	require.Contains(t, get(handler(cfg), "/traces/", browser).Body.String(), `href="/traces/bank"`)
	require.Contains(t, do(handler(cfg), http.MethodGet, "/traces/", "", "Accept", browser, "Authorization", "Bearer all").Body.String(), "Nothing yet")
}

// TestRetention holds that no list is of a time of which records are gone.
func TestRetention(t *testing.T) {
	cfg := config(batch(t))
	cfg.Retention = 20 * time.Minute // the batch is half an hour old
	h := handler(cfg)
	require.Contains(t, get(h, "/traces/shop/routes?since=7d", "").Body.String(), `"routes":[]`)
	require.Contains(t, get(h, "/traces/shop/requests?since=7d", "").Body.String(), `"from":"2026-11-22T21:08:00.000000Z"`)
}

// TestSession logs a browser in and out.
func TestSession(t *testing.T) {
	cfg := config(batch(t))
	at := now
	cfg.Now = func() time.Time { return at }
	h := handler(cfg)
	for next, want := range map[string]string{
		"/traces/shop/routes?since=7d": "/traces/shop/routes?since=7d", "/traces/shop?key=a&q=b": "/traces/shop?q=b", "": "/traces/",
		"https://evil.example/traces/": "/traces/", "//evil.example/traces/": "/traces/", `/\evil.example`: "/traces/", `/traces/\evil`: "/traces/",
		"/traces//evil.example": "/traces/", "/ingest/php": "/traces/", "javascript:alert(1)": "/traces/", "/traces/logout": "/traces/", "/traces/login?next=x": "/traces/",
	} {
		w := do(h, http.MethodPost, "/traces/login", url.Values{"key": {" " + key + "\n"}, "next": {next}}.Encode(), "Accept", browser)
		require.Equal(t, http.StatusSeeOther, w.Code)
		require.Equal(t, want, w.Header().Get("Location"), next)
	}
	w := do(h, http.MethodPost, "/traces/login", "key="+key)
	cookie := w.Result().Cookies()[0]
	require.True(t, cookie.HttpOnly && cookie.Secure)
	session := []string{"Cookie", cookie.Name + "=" + cookie.Value, "Accept", browser}
	require.Equal(t, http.StatusOK, do(h, http.MethodGet, "/traces/shop", "", session...).Code)
	require.Equal(t, http.StatusNotFound, do(h, http.MethodGet, "/traces/bank", "", session...).Code)
	require.Contains(t, do(h, http.MethodPost, "/traces/logout", "", session...).Header().Get("Set-Cookie"), "Max-Age=0")

	at = now.Add(auth.SessionTime)
	require.Equal(t, http.StatusSeeOther, do(h, http.MethodGet, "/traces/shop", "", session...).Code)

	for _, path := range []string{"/traces/login", "/traces/logout"} { // another site cannot log anybody in or out
		require.Equal(t, http.StatusForbidden, do(h, http.MethodPost, path, "key="+key, "Sec-Fetch-Site", "cross-site").Code)
		require.Equal(t, http.StatusForbidden, do(h, http.MethodPost, path, "key="+key, "Origin", "https://evil.example").Code)
	}
	require.Equal(t, http.StatusBadRequest, do(h, http.MethodPost, "/traces/login", "key="+strings.Repeat("x", 8<<10)).Code)
	require.Equal(t, http.StatusOK, do(h, http.MethodGet, "/traces/shop", "", "Authorization", "Basic "+basic("anybody", key)).Code)
}

func basic(user, password string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Basic ")
}

// TestKeyInLink holds that a key in an address becomes a session at once, and that neither it nor what is asked for is logged.
func TestKeyInLink(t *testing.T) {
	var log bytes.Buffer
	cfg := config(batch(t))
	h := logged(cfg, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	w := do(h, http.MethodGet, "/traces/shop/"+product+"?a=b&key="+key, "", "Accept", browser)
	require.Equal(t, http.StatusSeeOther, w.Code)
	require.Equal(t, "/traces/shop/"+product+"?a=b", w.Header().Get("Location"))
	cookie := w.Result().Cookies()[0]
	w = do(h, http.MethodGet, w.Header().Get("Location"), "", "Accept", browser, "Cookie", cookie.Name+"="+cookie.Value)
	require.Equal(t, http.StatusOK, w.Code)
	do(h, http.MethodGet, "/traces/shop?key=wrong-key", "")
	get(h, "/traces/?q="+product, browser)
	require.Contains(t, log.String(), "path=/traces/shop")
	for _, secret := range []string{key, "wrong-key", "a=b", "q=", cookie.Value} {
		require.NotContains(t, log.String(), secret)
	}
}

// TestHeaders holds what every answer has, whatever it is.
func TestHeaders(t *testing.T) {
	h := handler(config(batch(t)))
	for _, w := range []*httptest.ResponseRecorder{
		get(h, "/traces/shop", browser), get(h, "/traces/shop", ""), get(h, "/traces/nobody", browser), get(h, "/traces/shop/requests?limit=0", ""),
		do(h, http.MethodGet, "/traces/login", ""), do(h, http.MethodGet, "/traces/shop", ""), do(h, http.MethodPost, "/traces/login", "key=wrong"), get(h, "/traces/a/b/c/d/e", ""),
	} {
		require.Equal(t, "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'", w.Header().Get("Content-Security-Policy"))
		require.Equal(t, "private, no-store", w.Header().Get("Cache-Control"))
		require.Equal(t, "same-origin", w.Header().Get("Referrer-Policy"))
		require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
	}
}

func TestParameters(t *testing.T) {
	h := handler(config(batch(t)))
	for path, status := range map[string]int{
		"/traces/shop/requests?since=7d":                     200,
		"/traces/shop/requests?since=90m&limit=1":            200,
		"/traces/shop/requests?since=90m&limit=500":          200,
		"/traces/shop/requests?route=/product/*":             200,
		"/traces/shop/requests?since=":                       200,
		"/traces/shop/requests?since=x":                      400,
		"/traces/shop/requests?since=-1h":                    400,
		"/traces/shop/requests?since=0d":                     400,
		"/traces/shop/requests?since=91d":                    400,
		"/traces/shop/requests?since=99999999999d":           400,
		"/traces/shop/routes?limit=0":                        400,
		"/traces/shop/routes?limit=501":                      400,
		"/traces/shop/statements?limit=x":                    400,
		"/traces/shop/" + product + "/profile?function=0":    400,
		"/traces/shop/" + product + "/profile?function=9999": 404,
		"/traces/shop/" + product + "/plan/0":                404,
		"/traces/shop/" + product + "/plan/x":                404,
		"/traces/shop/" + product + "/nothing":               404,
		"/traces/shop/nothing":                               404,
		"/traces/shop/routes/nothing":                        404,
		"/traces/?q=nothing":                                 400,
		"/traces//shop":                                      404,
		"/traces/shop/":                                      404,
	} {
		w := get(h, path, "")
		require.Equal(t, status, w.Code, path)
		if status != 200 {
			require.Contains(t, w.Body.String(), `"error":"`, path)
		}
		require.Equal(t, status, get(h, path, browser).Code, path)
	}
	dashless := strings.ReplaceAll(product, "-", "")
	for path, to := range map[string]string{
		"/traces":               "/traces/",
		"/traces/?q=" + product: "/traces/" + product,
		"/traces/?q=" + url.QueryEscape("[error] traceparent=00-"+dashless+"-00f067aa0ba902b7-01 took long"): "/traces/" + product,
		"/traces/" + strings.ToUpper(dashless):                 "/traces/shop/" + product,
		"/traces/shop/" + dashless:                             "/traces/shop/" + product,
		"/traces/shop/" + strings.ToUpper(product) + "/plan/2": "/traces/shop/" + product + "/plan/2",
	} {
		w := get(h, path, browser)
		require.Equal(t, http.StatusSeeOther, w.Code, path)
		require.Equal(t, to, w.Header().Get("Location"), path)
	}
	w := do(h, http.MethodDelete, "/traces/shop", "", "Authorization", "Bearer "+key)
	require.Equal(t, http.StatusMethodNotAllowed, w.Code)
}

// waiting is a store whose reads end when their time is up.
type waiting struct {
	*viewtest.Memory
	reads, most *atomic.Int32
}

func (s waiting) Records(ctx context.Context, _, _ string) ([]store.Entry, error) {
	if n := s.reads.Add(1); n > s.most.Load() {
		s.most.Store(n)
	}
	<-ctx.Done()
	s.reads.Add(-1)
	return nil, ctx.Err()
}

// TestBusy holds that four pages are made at once, and that a page has an end.
func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := waiting{batch(t), &atomic.Int32{}, &atomic.Int32{}}
		cfg := config(s.Memory)
		cfg.Store = s
		h := handler(cfg)
		start := time.Now()
		answers := make(chan *httptest.ResponseRecorder)
		for i := range 12 {
			accept := []string{browser, "application/json"}[i%2]
			go func() { answers <- get(h, "/traces/shop/"+product, accept) }()
		}
		for range 12 {
			w := <-answers
			require.Equal(t, http.StatusServiceUnavailable, w.Code)
			require.Equal(t, "2", w.Header().Get("Retry-After"))
			require.Contains(t, w.Body.String(), "Busy")
		}
		require.Equal(t, 6*time.Second, time.Since(start), "three turns of four pages, two seconds each")
		require.EqualValues(t, 4, s.most.Load())
		require.Equal(t, http.StatusOK, get(h, "/traces/shop", "").Code, "the slots are free again")
	})
}
