package intake

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/clientip"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/refusals"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/web"
	"github.com/bitville/listener/shared/wire/bitville"
)

const key = "shop-key-0123456789"

// heldStore takes what it is given when the test lets it.
type heldStore struct{ held chan struct{} }

func (s heldStore) Insert(_ context.Context, records []record.Record) (store.Result, error) {
	<-s.held
	return store.Result{Accepted: len(records)}, nil
}

func (heldStore) Admit() error { return nil }

// at once.
func released() heldStore {
	s := heldStore{make(chan struct{})}
	close(s.held)
	return s
}

func newHandler(s Store, change func(*Config)) (http.Handler, *Config) {
	cfg := Config{
		Keys:      auth.NewKeys([]auth.Key{{Project: "shop", Secret: key}}),
		Store:     s,
		Log:       slog.New(slog.DiscardHandler),
		Now:       time.Now,
		Retention: time.Hour,
		Bodies:    NewBodies(4 << 20),
		Throttle:  auth.NewThrottle(3, time.Now),
		Count:     func(store.Count) {},
		Refusals:  refusals.New(refusals.Config{Store: refusals.Nowhere{}, Log: slog.New(slog.DiscardHandler), Now: time.Now}),
	}
	if change != nil {
		change(&cfg)
	}
	return served(cfg, func(web.Observation) {}), &cfg
}

func served(cfg Config, observe func(web.Observation)) http.Handler {
	routes := New("/ingest/php", bitville.Wire{Source: record.Source{ID: "php_agent", NameField: "request_uri", MaxNameBytes: 8192}}, cfg)
	return web.New(web.Config{Log: cfg.Log, Observe: observe}, routes)
}

// bodies reads bodies within a budget.
func bodies(size int64) *Bodies {
	b := NewBodies(4 << 20)
	b.budget.size = size
	return b
}

// profile is a record with so many bytes of filler.
func profile(n, bytes int) string {
	return fmt.Sprintf(`{"project":"shop","correlation_id":"00000000-0000-4000-8000-%012x","timestamp":%d,"duration_ms":1,"request_uri":"/","profiling_data":{"x":"%s"}}`,
		n, time.Now().Unix(), strings.Repeat("x", bytes))
}

func post(h http.Handler, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/ingest/php", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+key)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// What waits for the store is in the budget: when that is used up, large bodies are refused before they are
// made room for, small ones a while longer, and all of it comes back.
func TestBodiesAreBounded(t *testing.T) {
	s := heldStore{make(chan struct{})}
	h, cfg := newHandler(s, func(c *Config) { c.Bodies = bodies(8 << 20) })
	var waiting sync.WaitGroup
	answers := make(chan int, 6)
	for n := range 5 {
		waiting.Go(func() { answers <- post(h, profile(n, 1<<20)).Code })
	}
	require.Eventually(t, func() bool { return cfg.Bodies.budget.used.Load() > 5<<20 }, 10*time.Second, time.Millisecond)
	waiting.Go(func() { answers <- post(h, profile(10, 1<<10)).Code })
	busy := post(h, profile(9, 1<<20))
	require.Equal(t, 503, busy.Code)
	require.Equal(t, "1", busy.Header().Get("Retry-After"))
	require.JSONEq(t, `{"error":"Not stored: too much is being received at one time; send the same body again later"}`, busy.Body.String())
	require.LessOrEqual(t, cfg.Bodies.budget.used.Load(), cfg.Bodies.budget.size)
	close(s.held)
	waiting.Wait()
	close(answers)
	for status := range answers {
		require.Equal(t, 200, status)
	}
	require.Zero(t, cfg.Bodies.budget.used.Load())
	require.Equal(t, 200, post(h, profile(9, 1<<20)).Code)
}

// A few bytes of bad records make a long answer, which is in the budget until it is written.
func TestAnswersAreBounded(t *testing.T) {
	h, cfg := newHandler(released(), func(c *Config) { c.Bodies = bodies(1 << 20) })
	bad := "[" + strings.Repeat("{},", 4999) + "{}]"
	require.Equal(t, 503, post(h, bad).Code)
	require.Zero(t, cfg.Bodies.budget.used.Load())
	h, cfg = newHandler(released(), nil)
	w := post(h, bad)
	require.Equal(t, 400, w.Code)
	require.Less(t, w.Body.Len(), 512<<10, "15 KB of empty records")
	require.Zero(t, cfg.Bodies.budget.used.Load())
	var batch record.Batch
	for i := range 5000 {
		batch.Rejected = append(batch.Rejected, record.Rejection{Index: i, Details: []record.Detail{{Path: "project", Message: "is required"}}})
	}
	require.Greater(t, sizeOf(batch.Rejected), int64(2*5000*len("project is required")))
}

// Whatever ends a request, nothing of the budget is lost.
func TestBudgetComesBack(t *testing.T) {
	h, cfg := newHandler(released(), nil)
	for name, c := range map[string]struct {
		body   string
		header []string
		status int
	}{
		"stored":    {profile(1, 100), nil, 200},
		"not JSON":  {"{", nil, 400},
		"not gzip":  {"{", []string{"Content-Encoding", "gzip"}, 400},
		"other":     {strings.Replace(profile(1, 1), "shop", "other", 1), nil, 403},
		"too large": {strings.Repeat(" ", 5<<20), nil, 413},
		"bad":       {"{}", nil, 400},
		"gzip":      {string(gzipped(t, []byte(profile(1, 100_000)))), []string{"Content-Encoding", "gzip"}, 200},
		"long gzip": {string(gzipped(t, []byte(profile(1, 3<<20)))), []string{"Content-Encoding", "gzip"}, 200},
	} {
		require.Equal(t, c.status, post(h, c.body, c.header...).Code, name)
		require.Zero(t, cfg.Bodies.budget.used.Load(), name)
	}
}

// At debug the log says why each record was refused, up to a bound, and nothing that a field held.
func TestDebugTellsWhy(t *testing.T) {
	var log bytes.Buffer
	h, _ := newHandler(released(), func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))
	})
	lines := func(body string, header ...string) []string {
		log.Reset()
		post(h, body, append(header, "X-Request-Id", "id-1")...)
		require.NotContains(t, log.String(), "hidden")
		all := strings.Split(strings.TrimSpace(log.String()), "\n")
		require.Contains(t, all[len(all)-1], "level=INFO msg=request ")
		return all[:len(all)-1]
	}
	good := profile(1, 1)
	bad := strings.NewReplacer(`"/"`, `["hidden"]`, `"duration_ms":1`, `"duration_ms":-0.5`).Replace(good)
	require.Equal(t, []string{
		`level=DEBUG msg="record rejected" index=1 path=duration_ms message="must not be negative; measure it with a clock that is not set, such as PHP's hrtime" more=1 request_id=id-1`,
		`level=DEBUG msg="record rejected" index=2 path="" message="must be a JSON object, not a string; send the record itself" request_id=id-1`,
	}, lines("["+good+","+bad+`,"hidden"]`))
	require.Equal(t, []string{
		`level=DEBUG msg="record rejected" index=1 path="" message="is not JSON: byte 5 of the line, counted from 0, cannot be right: the line ends early; NDJSON has a whole object in each line, and one that goes over several is sent as application/json" offset=5 request_id=id-1`,
	}, lines(good+"\n{\"hid", "Content-Type", "application/x-ndjson")[:1])
	require.Equal(t, []string{`level=DEBUG msg="body refused" offset=10 message="a comma stands before the closing bracket; leave it out" request_id=id-1`}, lines(`["hidden",]`)[:1])
	require.Equal(t, []string{`level=DEBUG msg="body refused" message="record 0 names another project" index=0 path=project request_id=id-1`},
		lines(strings.Replace(good, `"shop"`, `"hidden"`, 1)))
	many := lines("[" + strings.Repeat("1,", 999) + "1]")
	require.Len(t, many, maxLogged+1)
	require.Equal(t, `level=DEBUG msg="more records rejected" records=980 request_id=id-1`, many[maxLogged])

	h, _ = newHandler(released(), func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	require.Empty(t, lines("[1]"), "at info")
}

// Two lines of a header mean what one line of both does, which is what a proxy may make of them.
func TestHeadersTwice(t *testing.T) {
	h, _ := newHandler(released(), nil)
	for _, c := range []struct {
		name, first, second string
		status              int
	}{
		{"Content-Type", "application/json", "text/plain", 415},
		{"Content-Type", "application/json", "application/x+json", 415},
		{"Content-Encoding", "gzip", "gzip", 415},
	} {
		r := httptest.NewRequest("POST", "/ingest/php", strings.NewReader(profile(1, 1)))
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header[c.name] = []string{c.first, c.second}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, c.status, w.Code, "%s: %s", c.name, w.Body)
	}
}

// A store that would refuse is asked before the body is read.
func TestAdmit(t *testing.T) {
	h, _ := newHandler(fullStore{released()}, nil)
	r := httptest.NewRequest("POST", "/ingest/php", io.NopCloser(unread{t}))
	r.Header.Set("Authorization", "Bearer "+key)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	require.Equal(t, 503, w.Code)
	require.Equal(t, "2", w.Header().Get("Retry-After"))
	require.JSONEq(t, `{"error":"Not stored: the queue is full; send the same body again later"}`, w.Body.String())
}

type fullStore struct{ Store }

func (fullStore) Admit() error {
	return &store.Unavailable{Reason: "the queue is full", RetryAfter: 2 * time.Second}
}

type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

// Wrong keys are counted for the client that sends them, wherever it is, and a good key is good for all.
func TestThrottle(t *testing.T) {
	var log bytes.Buffer
	h, _ := newHandler(released(), func(c *Config) {
		c.Proxies = clientip.Proxies{netip.MustParsePrefix("10.0.0.0/8")}
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	ask := func(remote, forwarded, key string) (status int) {
		r := httptest.NewRequest("POST", "/ingest/php", strings.NewReader(profile(1, 1)))
		r.RemoteAddr = remote
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header.Set("X-Forwarded-For", forwarded)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code == 429 {
			require.NotEmpty(t, w.Header().Get("Retry-After"))
		}
		return w.Code
	}
	for range 3 {
		require.Equal(t, 401, ask("10.0.0.1:1", "192.0.2.7", "wrong"))
	}
	require.Equal(t, 429, ask("10.0.0.1:1", "192.0.2.7", "wrong"))
	require.Equal(t, 429, ask("10.0.0.2:2", "198.51.100.1, 192.0.2.7", "wrong"), "whatever it claims before its address")
	require.Equal(t, 429, ask("192.0.2.7:9", "192.0.2.99", "wrong"), "it itself, who is no proxy")
	require.Equal(t, 401, ask("10.0.0.1:1", "192.0.2.8", "wrong"), "another client of the proxy")
	require.Equal(t, 200, ask("10.0.0.1:1", "192.0.2.7", key), "a good key")
	for range 3 {
		require.Equal(t, 401, ask("[2001:db8::1]:1", "", "wrong"))
	}
	require.Equal(t, 429, ask("[2001:db8::2]:1", "", "wrong"), "the same /64")
	require.Equal(t, 401, ask("[2001:db8:0:1::2]:1", "", "wrong"), "another one")
	require.Contains(t, log.String(), "remote=10.0.0.2:2 client=192.0.2.7 ")
}

// A body that comes too slowly is refused, and its connection closed, over both versions of HTTP; one that
// comes at the rate is taken.
func TestSlowBodies(t *testing.T) {
	h, cfg := newHandler(released(), nil)
	server := httptest.NewUnstartedServer(h)
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{NextProtos: []string{"h2", "http/1.1"}}
	server.StartTLS()
	t.Cleanup(server.Close)
	for version, transport := range map[string]*http.Transport{
		"HTTP/1.1": func() *http.Transport {
			one := server.Client().Transport.(*http.Transport).Clone()
			one.Protocols = new(http.Protocols)
			one.Protocols.SetHTTP1(true)
			one.TLSClientConfig.NextProtos = []string{"http/1.1"}
			return one
		}(),
		"HTTP/2": server.Client().Transport.(*http.Transport),
	} {
		for name, c := range map[string]struct {
			first  int // bytes that come at once
			then   int // bytes that come each tenth of a second
			status int
		}{
			"nothing comes":      {0, 0, 503},
			"bytes trickle":      {10, 5, 503},
			"a start, then none": {30 << 10, 0, 503},
			"at the rate":        {0, 2 << 10, 200},
		} {
			t.Run(version+", "+name, func(t *testing.T) {
				t.Parallel()
				text := profile(1, 120<<10)
				body, feed := io.Pipe()
				stop := make(chan struct{})
				var feeding sync.WaitGroup
				feeding.Go(func() {
					_, err := io.WriteString(feed, text[:c.first])
					for sent := c.first; err == nil && sent < len(text); sent += c.then {
						select {
						case <-stop:
							return
						case <-time.After(100 * time.Millisecond):
							_, err = io.WriteString(feed, text[sent:min(len(text), sent+c.then)])
						}
					}
					_ = feed.Close()
				})
				r, err := http.NewRequest("POST", server.URL+"/ingest/php", body)
				require.NoError(t, err)
				r.ContentLength = int64(len(text))
				r.Header.Set("Authorization", "Bearer "+key)
				client := http.Client{Transport: transport, Timeout: 25 * time.Second}
				res, err := client.Do(r)
				require.NoError(t, err)
				answer, err := io.ReadAll(res.Body)
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				close(stop)
				require.NoError(t, body.Close())
				feeding.Wait()
				require.Equal(t, c.status, res.StatusCode, "%s", answer)
				if c.status == 503 {
					require.Equal(t, "1", res.Header.Get("Retry-After"))
					require.True(t, bytes.Contains(answer, []byte("did not arrive in time")), "%s", answer)
				}
			})
		}
	}
	t.Cleanup(func() { require.Zero(t, cfg.Bodies.budget.used.Load()) })
}
