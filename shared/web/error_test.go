package web_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/web"
)

const internalError = `{"error":"Internal error: it is in the listener's log under this answer's X-Request-Id"}`

func TestErrorsBecomeAnswers(t *testing.T) {
	cause := errors.New("SELECT secret FROM /var/lib/db")
	full := &web.Error{
		Status: http.StatusServiceUnavailable,
		Text:   "Not stored",
		Fields: map[string]any{"offset": 22, "details": []string{"a"}},
		Header: http.Header{"Retry-After": {"5"}, "Www-Authenticate": {"Bearer", "Basic"}},
		Cause:  cause,
	}
	const fullBody = `{"error":"Not stored","offset":22,"details":["a"]}`
	for _, c := range []struct {
		name   string
		err    error
		status int
		body   string
		header http.Header
		logged string
		level  string
	}{
		{"a text alone", &web.Error{Status: 413, Text: "Too large"}, 413, `{"error":"Too large"}`, nil, "Too large", "INFO"},
		{"all fields", full, 503, fullBody, full.Header, "Not stored: " + cause.Error(), "ERROR"},
		{"wrapped", fmt.Errorf("handle: %w", full), 503, fullBody, full.Header, "handle: Not stored: " + cause.Error(), "ERROR"},
		{"joined", errors.Join(errors.New("first"), full), 503, fullBody, full.Header, "first\nNot stored: " + cause.Error(), "ERROR"},
		{"unknown", cause, 500, internalError, nil, cause.Error(), "ERROR"},
		{"unknown, wrapped", fmt.Errorf("insert: %w", cause), 500, internalError, nil, "insert: " + cause.Error(), "ERROR"},
		{"of the standard library", io.ErrUnexpectedEOF, 500, internalError, nil, "unexpected EOF", "ERROR"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, log := serve(t, func(*web.Response, *http.Request) error { return c.err }, httptest.NewRequest("POST", "/x", nil))
			require.Equal(t, c.status, w.Code)
			require.JSONEq(t, c.body, w.Body.String())
			requireError(t, w.Header(), w.Body.String())
			for name, values := range c.header {
				require.Equal(t, values, w.Header().Values(name))
			}
			line := log.one(t)
			require.Equal(t, c.logged, line["error"])
			require.Equal(t, c.level, line["level"])
			require.EqualValues(t, c.status, line["status"])
		})
	}
}

func TestErrorUnwraps(t *testing.T) {
	err := &web.Error{Status: 503, Text: "Not stored", Cause: io.ErrUnexpectedEOF}
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.EqualError(t, err, "Not stored: unexpected EOF")
	require.EqualError(t, &web.Error{Text: "Not found"}, "Not found")
}

func TestRetryAfter(t *testing.T) {
	for wait, seconds := range map[time.Duration]string{
		-time.Second: "1", 0: "1", time.Nanosecond: "1", 300 * time.Millisecond: "1", time.Second: "1",
		time.Second + 1: "2", 1500 * time.Millisecond: "2", 5 * time.Second: "5", time.Minute: "60",
	} {
		require.Equal(t, seconds, web.RetryAfter(wait), "%s", wait)
	}
}

func TestAnswerThatCannotBeEncoded(t *testing.T) {
	w, log := serve(t, func(w *web.Response, _ *http.Request) error {
		return w.JSON(http.StatusOK, make(chan int))
	}, httptest.NewRequest("POST", "/x", nil))
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.JSONEq(t, internalError, w.Body.String())
	require.Equal(t, "encode answer: json: unsupported type: chan int", log.one(t)["error"])
}

func TestPanicBeforeTheAnswer(t *testing.T) {
	var nothing map[string]int
	for name, h := range map[string]web.Handler{
		"text":    func(*web.Response, *http.Request) error { panic("of the ledger") },
		"error":   func(*web.Response, *http.Request) error { panic(errors.New("of the ledger")) },
		"runtime": func(*web.Response, *http.Request) error { nothing["of the ledger"]++; return nil },
		"nil":     func(*web.Response, *http.Request) error { panic(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			w, log := serve(t, h, httptest.NewRequest("POST", "/x", nil))
			require.Equal(t, http.StatusInternalServerError, w.Code)
			require.JSONEq(t, internalError, w.Body.String())
			line := log.one(t)
			require.Equal(t, "ERROR", line["level"])
			require.EqualValues(t, 500, line["status"])
			require.Contains(t, line["error"], "panic: ")
			require.Contains(t, line["error"], "error_test.go", "the stack says where")
			require.Equal(t, w.Header().Get("X-Request-Id"), line["request_id"])
		})
	}
}

// A panic behind the answer changes nothing of it: it was written whole. It is a bug all the same, whatever
// status the client saw: a log of errors alone has it.
func TestPanicAfterTheAnswer(t *testing.T) {
	var log logLines
	h := web.New(web.Config{Log: log.logger(slog.LevelError), Observe: unobserved}, web.Routes{"POST /x": func(w *web.Response, _ *http.Request) error {
		_ = w.JSON(http.StatusOK, map[string]int{"accepted": 1})
		panic("of the ledger")
	}})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/x", nil))
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, `{"accepted":1}`, w.Body.String())
	line := log.one(t)
	require.EqualValues(t, 200, line["status"])
	require.Contains(t, line["error"], "panic: of the ledger")
}

// The server goes on after a panic.
func TestPanicsEndOneRequest(t *testing.T) {
	h := web.New(web.Config{Log: slog.New(slog.DiscardHandler), Observe: unobserved}, web.Routes{
		"GET /panic": func(*web.Response, *http.Request) error { panic("of the ledger") },
		"GET /ok":    ok,
	})
	server := httptest.NewServer(h)
	defer server.Close()
	for _, c := range []struct {
		path   string
		status int
	}{{"/panic", 500}, {"/ok", 200}, {"/panic", 500}, {"/ok", 200}} {
		resp, err := server.Client().Get(server.URL + c.path)
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		require.NoError(t, err)
		require.Equal(t, c.status, resp.StatusCode)
		require.False(t, strings.Contains(string(body), "ledger"))
	}
}
