package web_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/web"
)

// An error may have an answer of its own, or none at all, in place of the listener's JSON.
func TestErrorWithAnAnswerOfItsOwn(t *testing.T) {
	cause := errors.New("the ledger")
	for _, c := range []struct {
		name        string
		err         web.Error
		contentType []string
		body        string
		level       string
	}{
		{"JSON of another shape", web.Error{Status: 401, Answer: &web.Answer{ContentType: "application/json", Data: []byte(`{"error":true}`)}}, []string{"application/json"}, `{"error":true}`, "INFO"},
		{"a type alone", web.Error{Status: 400, Answer: &web.Answer{ContentType: "application/x-protobuf"}}, []string{"application/x-protobuf"}, "", "INFO"},
		{"nothing", web.Error{Status: 413, Answer: &web.Answer{}}, nil, "", "INFO"},
		{"a 202 for what is not stored", web.Error{Status: 202, Answer: &web.Answer{ContentType: "application/json", Data: []byte(`{"status":false}`)}}, []string{"application/json"}, `{"status":false}`, "ERROR"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.err.Text, c.err.Cause, c.err.Header = "Not stored", cause, http.Header{"Retry-After": {"3"}}
			w, log := serve(t, func(*web.Response, *http.Request) error { return &c.err }, httptest.NewRequest("POST", "/x", nil))
			require.Equal(t, c.err.Status, w.Code)
			require.Equal(t, c.contentType, w.Result().Header["Content-Type"])
			require.Equal(t, c.body, w.Body.String())
			require.Equal(t, "3", w.Header().Get("Retry-After"))
			require.NotEmpty(t, w.Header().Get("X-Request-Id"))
			require.Equal(t, "Not stored: the ledger", log.one(t)["error"])
			require.Equal(t, c.level, log.one(t)["level"])
		})
	}
	w, _ := serve(t, func(w *web.Response, _ *http.Request) error { w.Data(200, "", nil); return nil }, httptest.NewRequest("POST", "/x", nil))
	require.Equal(t, 200, w.Code)
	require.NotContains(t, w.Result().Header, "Content-Type")
	require.Equal(t, "0", w.Header().Get("Content-Length"))
}

// A connection that is closed in place of an answer is logged and counted; a host that cannot close answers.
func TestClosedWithoutAnAnswer(t *testing.T) {
	full := &web.Error{Status: 503, Text: "Not stored", Close: true, Header: http.Header{"Retry-After": {"3"}}}
	for name, h2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			var log logLines
			seen := make(chan web.Observation, 1)
			given := make(chan struct{}, 1)
			server := httptest.NewUnstartedServer(web.New(web.Config{Log: log.logger(slog.LevelInfo), Observe: func(o web.Observation) { seen <- o }},
				web.Routes{"POST /v1/traces": func(w *web.Response, r *http.Request) error {
					w.After(func() { given <- struct{}{} })
					_, _ = io.CopyN(io.Discard, r.Body, 5)
					return full
				}}))
			server.EnableHTTP2 = h2
			server.StartTLS()
			defer server.Close()
			_, err := server.Client().Post(server.URL+"/v1/traces", "application/json", strings.NewReader("0123456789"))
			require.Error(t, err)
			o := <-seen
			require.Equal(t, "/v1/traces", o.Path)
			require.Equal(t, 503, o.Status)
			<-given
			line := log.one(t)
			require.Equal(t, "Not stored", line["error"])
			require.Equal(t, true, line["closed_without_answer"])
			require.Equal(t, "ERROR", line["level"])
		})
	}
	w, log := serve(t, func(*web.Response, *http.Request) error { return full }, httptest.NewRequest("POST", "/x", nil))
	require.Equal(t, 503, w.Code)
	require.JSONEq(t, `{"error":"Not stored"}`, w.Body.String())
	require.Equal(t, "3", w.Header().Get("Retry-After"))
	require.NotContains(t, log.one(t), "closed_without_answer")
}

// A key that stands in a URL is in no line of the log and in no label.
func TestKeysInURLsAreNotLogged(t *testing.T) {
	refuse := func(*web.Response, *http.Request) error { return &web.Error{Status: 401, Text: "Who?"} }
	panics := func(*web.Response, *http.Request) error { panic("a fault") }
	const cut = "/k/[redacted]"
	for _, c := range []struct{ request, path, label string }{
		{"POST /k/s3cret/v1/traces", "/k/{key}/v1/traces", "/k/{key}/v1/traces"},
		{"POST /k/s3cret/v1/panics?token=s3cret", "/k/{key}/v1/panics", "/k/{key}/v1/panics"},
		{"GET /k/s3cret/v1/traces", "/k/{key}/v1/traces", "/k/{key}/v1/traces"},
		{"POST /%6b/s3cret/v1/traces", "/k/{key}/v1/traces", "/k/{key}/v1/traces"},
		{"POST /k/s3cret%2Fs3cret/v1/traces", "/k/{key}/v1/traces", "/k/{key}/v1/traces"},
		{"POST /k/s3cret/v1/other", cut, ""},
		{"POST /k/s3cret", cut, ""},
		{"POST /k/", cut, ""},
		{"POST //k/s3cret/v1/traces", "/" + cut, ""},
		{"POST /%6b/s3cret/v1/other", cut, ""},
		{"POST /k%2Fs3cret/v1/other", cut, ""},
		{"POST /k/a%2Fs3cret/v1/other", cut, ""},
		{"POST /v1/traces/k/s3cret", "/v1/traces" + cut, ""},
		{"POST /v1/traces%3Ftoken=s3cret", "/v1/traces?token=[redacted]", ""},
		{"POST /v1/traces&token=s3cret", "/v1/traces&token=[redacted]", ""},
		{"POST /v1/traces?token=s3cret", "/v1/traces", "/v1/traces"},
		{"POST /desk/lamp", "/desk/lamp", ""},
	} {
		t.Run(c.request, func(t *testing.T) {
			method, target, _ := strings.Cut(c.request, " ")
			var log logLines
			var label string
			h := web.New(web.Config{Log: log.logger(slog.LevelDebug), Observe: func(o web.Observation) { label = o.Path }},
				web.Routes{"POST /v1/traces": refuse, "POST /k/{key}/v1/traces": refuse, "POST /k/{key}/v1/panics": panics})
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(method, target, nil))
			require.Equal(t, c.path, log.one(t)["path"])
			require.Equal(t, c.label, label)
			require.NotContains(t, log.buf.String(), "s3cret")
			require.NotContains(t, w.Body.String(), "s3cret")
		})
	}
}
