package health_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/functions/health"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
	"github.com/bitville/listener/shared/web"
)

// storeFunc is a store in the state that a test needs.
type storeFunc func(ctx context.Context) error

func (f storeFunc) Ready(ctx context.Context) error { return f(ctx) }

// untouchable is the store of a test that must not ask it.
func untouchable(context.Context) error { panic("the store was asked") }

var started = time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC)

// newHandler makes the handler over a store, with a clock that the returned pointer sets, and a log.
func newHandler(s health.Store) (h http.Handler, now *time.Time, log *bytes.Buffer) {
	now, log = new(started), new(bytes.Buffer)
	routes := health.New(health.Config{Store: s, Now: func() time.Time { return *now }, Version: "v1.2.3"})
	return web.New(web.Config{Log: slog.New(slog.NewJSONHandler(log, nil)), Observe: func(web.Observation) {}}, routes), now, log
}

func get(h http.Handler, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

func TestHealthTouchesNothing(t *testing.T) {
	h, _, _ := newHandler(storeFunc(untouchable))
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		w := get(h, method, "/health")
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, "text/plain; charset=utf-8", w.Header().Get("Content-Type"))
		require.Equal(t, "2", w.Header().Get("Content-Length"))
		require.Equal(t, "OK", w.Body.String()) // net/http sends no body for HEAD
		require.NotEmpty(t, w.Header().Get("X-Request-Id"))
	}
}

func TestReady(t *testing.T) {
	h, now, _ := newHandler(storeFunc(func(context.Context) error { return nil }))
	for _, c := range []struct {
		after  time.Duration
		uptime string
	}{
		{0, "0"},
		{time.Millisecond, "0.001"},
		{1234567 * time.Microsecond, "1.235"},
		{90 * time.Minute, "5400"},
		{365 * 24 * time.Hour, "31536000"},
	} {
		*now = started.Add(c.after)
		w := get(h, http.MethodGet, "/ready")
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, "application/json", w.Header().Get("Content-Type"))
		require.Empty(t, w.Header().Get("Retry-After"))
		require.JSONEq(t, `{"ready":true,"uptime":`+c.uptime+`,"version":"v1.2.3","database":"ok"}`, w.Body.String())
	}
}

func TestNotReady(t *testing.T) {
	cause := errors.New("SELECT 1: /var/lib/bitville.db: disk I/O error")
	for _, c := range []struct {
		name     string
		err      error
		database string
		after    string
	}{
		{"a reason", &store.Unavailable{Reason: "the disk is full", RetryAfter: 30 * time.Second, Err: cause}, "the disk is full", "30"},
		{"a reason without a cause", &store.Unavailable{Reason: "the listener is stopping", RetryAfter: time.Second}, "the listener is stopping", "1"},
		{"a reason that is wrapped", errors.Join(&store.Unavailable{Reason: "the disk is full", RetryAfter: 5 * time.Second}), "the disk is full", "5"},
		{"an error without a reason", cause, "failed", "1"},
		{"out of time", context.DeadlineExceeded, "failed", "1"},
		{"a delay below a second", &store.Unavailable{Reason: "the queue is full", RetryAfter: 300 * time.Millisecond}, "the queue is full", "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, now, log := newHandler(storeFunc(func(context.Context) error { return c.err }))
			*now = started.Add(2 * time.Second)
			w := get(h, http.MethodGet, "/ready")
			require.Equal(t, http.StatusServiceUnavailable, w.Code)
			require.Equal(t, c.after, w.Header().Get("Retry-After"))
			require.JSONEq(t, `{"ready":false,"uptime":2,"version":"v1.2.3","database":"`+c.database+`","error":"Not ready"}`, w.Body.String())
			var line map[string]any
			require.NoError(t, json.Unmarshal(log.Bytes(), &line), "one line")
			require.Equal(t, "ERROR", line["level"])
			require.Equal(t, "Not ready: "+c.err.Error(), line["error"], "the cause is for the log")
		})
	}
}

func TestReadyAnswersHEAD(t *testing.T) {
	for status, err := range map[int]error{200: nil, 503: &store.Unavailable{Reason: "the disk is full", RetryAfter: time.Second}} {
		h, _, _ := newHandler(storeFunc(func(context.Context) error { return err }))
		server := httptest.NewServer(h)
		resp, err := server.Client().Head(server.URL + "/ready")
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		require.NoError(t, err)
		require.Empty(t, body)
		require.Equal(t, status, resp.StatusCode)
		server.Close()
	}
}

func TestOtherRoutesAndMethods(t *testing.T) {
	h, _, _ := newHandler(storeFunc(untouchable))
	for _, c := range []struct {
		line   string
		status int
	}{
		{"POST /health", 405}, {"POST /ready", 405}, {"DELETE /ready", 405}, {"OPTIONS /health", 405},
		{"GET /", 404}, {"GET /health/", 404}, {"GET /readyz", 404}, {"POST /ingest/php", 404},
	} {
		method, path, _ := strings.Cut(c.line, " ")
		require.Equal(t, c.status, get(h, method, path).Code, c.line)
	}
}

func TestSlowStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, _ := newHandler(storeFunc(func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}))
		start := time.Now()
		w := get(h, http.MethodGet, "/ready")
		require.Equal(t, http.StatusServiceUnavailable, w.Code)
		require.LessOrEqual(t, time.Since(start), 5*time.Second, "an orchestrator that asks gives up sooner or later")
	})
	synctest.Test(t, func(t *testing.T) {
		h, _, _ := newHandler(storeFunc(func(context.Context) error {
			time.Sleep(time.Second) // what a busy database may take
			return nil
		}))
		require.Equal(t, http.StatusOK, get(h, http.MethodGet, "/ready").Code)
	})
}

// A client that hangs up is no failure of the store, and no reason for an alarm.
func TestReadyOfAClientThatWentAway(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	h, _, log := newHandler(storeFunc(func(ctx context.Context) error {
		cancel()
		return ctx.Err()
	}))
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodGet, "/ready", nil))
	require.Contains(t, log.String(), `"status":200`)
	require.NotContains(t, log.String(), "ERROR")
}

// Anyone may ask, and a question is a commit: so many who ask at one time share one.
func TestReadyIsAskedOnceForMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		h, _, _ := newHandler(storeFunc(func(context.Context) error {
			if asked++; asked > 1 {
				return &store.Unavailable{Reason: "the disk is full", RetryAfter: time.Second}
			}
			return nil
		}))
		for i, status := range []int{http.StatusOK, http.StatusServiceUnavailable} {
			for range 100 {
				require.Equal(t, status, get(h, http.MethodGet, "/ready").Code)
			}
			require.Equal(t, i+1, asked)
			time.Sleep(readyFresh)
		}
	})
}

// readyFresh is for how long an answer may be repeated.
const readyFresh = 150 * time.Millisecond

// TestReadyTriesTheWriter has a real database, which can still be read while another process holds its
// write lock. Not ready is then the truth, for no record can be stored.
func TestReadyTriesTheWriter(t *testing.T) {
	db, path := sqlitetest.New(t)
	h, _, _ := newHandler(db)
	require.Equal(t, http.StatusOK, get(h, http.MethodGet, "/ready").Code)

	unlock := sqlitetest.Lock(t, path)
	require.Equal(t, [][]string{{"0"}}, sqlitetest.Query(t, path, "SELECT count(*) FROM profiling_data"), "reading works")
	time.Sleep(readyFresh)
	for range 2 {
		w := get(h, http.MethodGet, "/ready")
		require.Equal(t, http.StatusServiceUnavailable, w.Code)
		require.Equal(t, "1", w.Header().Get("Retry-After"))
		require.JSONEq(t, `{"ready":false,"uptime":0,"version":"v1.2.3","database":"the database is locked by another process","error":"Not ready"}`, w.Body.String())
		require.Equal(t, http.StatusOK, get(h, http.MethodGet, "/health").Code)
	}

	unlock()
	time.Sleep(readyFresh)
	w := get(h, http.MethodGet, "/ready")
	require.Equal(t, http.StatusOK, w.Code)
	require.Contains(t, w.Body.String(), `"database":"ok"`)
	require.Equal(t, [][]string{{"0"}}, sqlitetest.Query(t, path, "SELECT count(*) FROM profiling_data"), "asking stores nothing")
}

func TestReadyOfAClosedStore(t *testing.T) {
	db, _ := sqlitetest.New(t)
	h, _, _ := newHandler(db)
	require.NoError(t, db.Close())
	w := get(h, http.MethodGet, "/ready")
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Contains(t, w.Body.String(), `"database":"the listener is stopping"`)
}
