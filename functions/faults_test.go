package functions_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/contracttest"
	"github.com/bitville/listener/shared/lambdahost/functiontest"
	"github.com/bitville/listener/shared/store/libsql/libsqltest"
)

// What becomes of a function that takes no care: the runtime API shows it, so that the tests that find nothing
// of the kind say something.
func TestCarelessFunction(t *testing.T) {
	f := functiontest.Start(t, functiontest.Config{Bootstrap: program("hello"), Timeout: time.Second})
	require.Equal(t, "Hello", text(t, send(t, f, "GET /", "")))
	res := send(t, f, "GET /panic", "")
	require.Contains(t, []int{http.StatusOK, http.StatusBadGateway}, res.StatusCode)
	if res.StatusCode == http.StatusOK {
		require.Empty(t, text(t, res))
	}
	require.Equal(t, "Hello", text(t, send(t, f, "GET /", "")))
	require.Equal(t, 2, f.Starts(), "the panic ended the process")

	require.Equal(t, functiontest.TimedOut, f.Invoke(functiontest.Event(httptest.NewRequest("GET", "/stall", nil), nil, "1")).Failed)
	require.Equal(t, "Hello", text(t, send(t, f, "GET /", "")))
	require.Equal(t, 3, f.Starts(), "the deadline ended the process")
}

// A fault in a handler is a 500 under the request's id, never an empty 200, and the process lives on: a panic
// that lambdaurl sees would end this one.
func TestPanic(t *testing.T) {
	urls := wrapped(t, contracttest.FailingStore(func() error { panic("a fault") }), 100)
	for _, c := range []struct{ route, body string }{
		{"POST /ingest/php", phpRecord(1)},
		{"POST /ingest/postgres", strings.Replace(phpRecord(1), "request_uri", "query", 1)},
		{"GET /ready", ""},
	} {
		for range 2 {
			res := send(t, urls, c.route, c.body)
			require.Equal(t, http.StatusInternalServerError, res.StatusCode, c.route)
			require.NotEmpty(t, res.Header.Get("X-Request-Id"))
			require.Contains(t, text(t, res), `"error":"Internal error`)
		}
	}
}

// A database that says nothing is told to the client while there is time: the service would kill the function,
// and the client would read 502. Some seconds are the least; 20 are what template.yaml gives.
func TestDeadline(t *testing.T) {
	const spare = 500 * time.Millisecond // an answer at the very end would be a matter of luck
	server := libsqltest.Start(t)
	for _, seconds := range []time.Duration{2, 8, 20} {
		t.Run(fmt.Sprint(int(seconds), " s"), func(t *testing.T) {
			t.Parallel()
			var stalled atomic.Bool
			stalled.Store(true)
			proxy := libsqltest.NewProxy(t, server, func(int64) libsqltest.Fault {
				if stalled.Load() {
					return libsqltest.Stall
				}
				return libsqltest.None
			})
			cfg := config("ingestphp", proxy.URL)
			cfg.Timeout = seconds * time.Second
			f := functiontest.Start(t, cfg)
			begun := time.Now()
			requireLater(t, post(t, f, phpRecord(int(seconds))))
			require.Less(t, time.Since(begun), min(cfg.Timeout-spare, 10*time.Second))
			stalled.Store(false)
			requireAccepted(t, 1, post(t, f, phpRecord(int(seconds))))
			require.Equal(t, 1, f.Starts(), "it was not killed")
		})
	}
	t.Run("ready", func(t *testing.T) {
		t.Parallel()
		proxy := libsqltest.NewProxy(t, server, func(int64) libsqltest.Fault { return libsqltest.Stall })
		cfg := config("health", proxy.URL)
		cfg.Timeout = 5 * time.Second // as in template.yaml
		f := functiontest.Start(t, cfg)
		begun := time.Now()
		res := send(t, f, "GET /ready", "")
		require.Less(t, time.Since(begun), cfg.Timeout-spare)
		require.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
		require.NotEmpty(t, res.Header.Get("Retry-After"))
		require.Equal(t, 1, f.Starts(), "it was not killed")
	})
	t.Run("retention", func(t *testing.T) {
		t.Parallel()
		proxy := libsqltest.NewProxy(t, server, func(int64) libsqltest.Fault { return libsqltest.Stall })
		cfg := config("retention", proxy.URL)
		cfg.Timeout = 15 * time.Second
		f := functiontest.Start(t, cfg)
		begun := time.Now()
		answer := f.Invoke(event(t, "schedule-rule"))
		require.Less(t, time.Since(begun), cfg.Timeout-spare)
		require.NotEqual(t, functiontest.TimedOut, answer.Failed)
		require.Contains(t, answer.Error, "the database did not answer in time")
		require.Equal(t, 1, f.Starts(), "it was not killed")
	})
}

// Between events a function stands still, and its connections die without its knowing. The next event is
// answered all the same.
func TestFrozen(t *testing.T) {
	server := libsqltest.Start(t)
	// tursodb closes each connection after its answer; other servers keep them, as this front does.
	backend, err := url.Parse(server.URL)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(backend)
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	keepsAlive := httptest.NewServer(proxy)
	t.Cleanup(keepsAlive.Close)
	cfg := config("ingestphp", keepsAlive.URL)
	cfg.Freeze = true
	f := functiontest.Start(t, cfg)
	requireAccepted(t, 1, post(t, f, phpRecord(0)))
	for n := 1; n <= 3; n++ {
		require.True(t, f.Idle())
		server.Kill()
		keepsAlive.CloseClientConnections()
		server.Restart(t)
		time.Sleep(time.Second) // frozen; nothing waits for it
		if res := post(t, f, phpRecord(n)); res.StatusCode != http.StatusOK {
			requireLater(t, res)
			require.Equal(t, http.StatusOK, post(t, f, phpRecord(n)).StatusCode)
		}
	}
	require.Equal(t, 1, f.Starts())
	require.Equal(t, [][]string{{"4", "4"}}, server.Query(t, "SELECT count(*), count(DISTINCT correlation_id) FROM profiling_data"))
}

// When a function has answered it is frozen at once, for as long as nobody calls. What a 200 says is stored by then.
func TestNothingRunsAfterTheReply(t *testing.T) {
	server := libsqltest.Start(t)
	proxy := libsqltest.NewProxy(t, server, func(int64) libsqltest.Fault { return libsqltest.None })
	cfg := config("ingestphp", proxy.URL)
	cfg.Freeze = true
	f := functiontest.Start(t, cfg)
	for n := range 20 {
		requireAccepted(t, 1, post(t, f, phpRecord(n)))
		require.True(t, f.Idle())
		requests := proxy.Requests.Load()
		require.Equal(t, [][]string{{fmt.Sprint(n + 1)}}, server.Query(t, "SELECT count(*) FROM profiling_data"))
		require.Equal(t, requests, proxy.Requests.Load())
	}

	// The same, awake: it has nothing left to do.
	f = start(t, "ingestphp", proxy.URL)
	requireAccepted(t, 1, post(t, f, phpRecord(100)))
	require.True(t, f.Idle())
	requests, logged := proxy.Requests.Load(), f.Log(t)
	time.Sleep(500 * time.Millisecond) // in which whatever it had begun would show
	require.Equal(t, requests, proxy.Requests.Load())
	require.Equal(t, logged, f.Log(t))
}

// Records go through functions, and a connection to the database that fails in every way and a server that
// crashes. The agents saw nothing but 200 and 503, sent again what was not taken, and each record is stored once.
func TestFaults(t *testing.T) {
	server := libsqltest.Start(t)
	faults := []libsqltest.Fault{
		libsqltest.CutBefore, libsqltest.CutAfter, libsqltest.CutInside, libsqltest.Status500, libsqltest.Status429, libsqltest.Garbage, libsqltest.HTML,
	}
	proxy := libsqltest.NewProxy(t, server, func(n int64) libsqltest.Fault {
		if n%10 == 0 {
			return faults[int(n/10)%len(faults)]
		}
		return libsqltest.None
	})
	batches, environments := 1000, 4
	if testing.Short() {
		batches = 200
	}
	const size = 3
	var next, refused atomic.Int64
	var crash sync.Mutex
	var wg sync.WaitGroup
	for range environments {
		f := start(t, "ingestphp", proxy.URL)
		t.Cleanup(func() { require.Equal(t, 1, f.Starts(), "it lives on") })
		wg.Go(func() {
			for n := int(next.Add(1)) - 1; n < batches; n = int(next.Add(1)) - 1 {
				body := "["
				for i := range size {
					body += phpRecord(n*size+i) + ","
				}
				body = strings.TrimSuffix(body, ",") + "]"
				for tries := 0; ; tries++ {
					res := post(t, f, body)
					if res.StatusCode == http.StatusOK {
						break
					}
					answer, _ := io.ReadAll(res.Body)
					if res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || tries == 1000 {
						t.Errorf("batch %d: %d %s", n, res.StatusCode, answer)
						return
					}
					refused.Add(1)
					time.Sleep(10 * time.Millisecond) // less than Retry-After asks for, which would take the test minutes
				}
				if n == batches/3 || n == batches*2/3 {
					crash.Lock()
					server.Kill()
					server.Restart(t)
					crash.Unlock()
				}
			}
		})
	}
	wg.Wait()
	require.Positive(t, refused.Load(), "some faults reach the client")
	require.Greater(t, proxy.Requests.Load(), int64(batches+batches/10))
	total := fmt.Sprint(batches * size)
	require.Equal(t, [][]string{{total, total}}, server.Query(t, "SELECT count(*), count(DISTINCT correlation_id) FROM profiling_data"))
}
