package functions_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/functions"
	"github.com/bitville/listener/shared/lambdahost/functiontest"
	"github.com/bitville/listener/shared/store/libsql/libsqltest"
)

// names returns those of the functions that need what is asked.
func names(wanted func(functions.Needs) bool) (all []string) {
	for _, f := range functions.All {
		if wanted(f.Needs) {
			all = append(all, f.Name)
		}
	}
	return all
}

var (
	allFunctions = names(func(functions.Needs) bool { return true })
	withKeys     = names(func(n functions.Needs) bool { return n.Keys })
	withoutKeys  = names(func(n functions.Needs) bool { return !n.Keys })
)

// A function is loaded before each cold start: what is not needed must not be in it. The embedded SQLite
// engine alone would be 4 MB.
func TestSize(t *testing.T) {
	for _, name := range allFunctions {
		info, err := os.Stat(program(name))
		require.NoError(t, err)
		t.Logf("%s: %.2f MB (%s)", name, float64(info.Size())/1e6, runtime.GOARCH)
		require.Less(t, info.Size(), int64(9_000_000), name)
	}
}

// Whoever sets a function up wrongly learns it from the first start: what is wrong, and what to set.
func TestRefusesToStart(t *testing.T) {
	const database = "BITVILLE_DB_URL=http://127.0.0.1:1"
	noDatabase := []string{"the function cannot start", "BITVILLE_DB_URL is not set: name a libSQL server, such as libsql://"}
	for _, name := range allFunctions {
		for _, c := range []struct {
			name string
			env  []string
			says []string
		}{
			{"nothing set", []string{keyVar}, noDatabase},
			{"an empty URL", []string{keyVar, "BITVILLE_DB_URL="}, noDatabase},
			{"a file's URL", []string{keyVar, "BITVILLE_DB_URL=file:///tmp/bitville.db"}, []string{"BITVILLE_DB_URL must begin with libsql://, https:// or http://"}},
			{"a file's name as the URL", []string{keyVar, "BITVILLE_DB_URL=bitville.db"}, []string{"BITVILLE_DB_URL must begin with libsql://, https:// or http://"}},
			{"a URL without a host", []string{keyVar, "BITVILLE_DB_URL=libsql://"}, []string{"BITVILLE_DB_URL names no host: set one such as libsql://"}},
			{"a token in the URL", []string{keyVar, "BITVILLE_DB_URL=libsql://x.turso.io?authToken=s3cret"}, []string{"a token is set with BITVILLE_DB_AUTH_TOKEN"}},
			{"a file", []string{keyVar, "BITVILLE_DB_PATH=/tmp/bitville.db"}, []string{"BITVILLE_DB_PATH is set", "set BITVILLE_DB_URL to a libSQL server instead"}},
			{"a file and a URL", []string{keyVar, database, "BITVILLE_DB_PATH=/tmp/bitville.db"}, []string{"BITVILLE_DB_PATH is set", "set BITVILLE_DB_URL to a libSQL server instead"}},
			{"a bad retention", []string{keyVar, database, "BITVILLE_RETENTION=week"}, []string{`BITVILLE_RETENTION is "week": set a Go duration`}},
			{"two problems", []string{keyVar, "BITVILLE_LOG_LEVEL=loud"}, append([]string{"BITVILLE_LOG_LEVEL"}, noDatabase...)},
		} {
			t.Run(name+", "+c.name, func(t *testing.T) {
				t.Parallel()
				requireRefusal(t, name, c.env, c.says)
			})
		}
	}
	for _, name := range withKeys {
		for _, c := range []struct {
			name string
			env  []string
			says []string
		}{
			{"no key", []string{database}, []string{"no API key is set: set BITVILLE_API_KEY_"}},
			{"an empty key", []string{database, "BITVILLE_API_KEY_SHOP="}, []string{"BITVILLE_API_KEY_SHOP"}},
			{"keys that are no JSON", []string{database, "BITVILLE_API_KEYS=s3cret-0123456789"}, []string{"BITVILLE_API_KEYS"}},
			{"one key for two projects", []string{database, "BITVILLE_API_KEY_A=s3cret-0123456789", "BITVILLE_API_KEY_B=s3cret-0123456789"}, []string{"BITVILLE_API_KEY_B: project b has the same key as project a"}},
		} {
			t.Run(name+", "+c.name, func(t *testing.T) {
				t.Parallel()
				requireRefusal(t, name, c.env, c.says)
			})
		}
	}
}

func requireRefusal(t *testing.T, name string, env, says []string) {
	t.Helper()
	exit, log := functiontest.Refusal(t, functiontest.Config{Bootstrap: program(name), Env: env})
	require.Positive(t, exit)
	for _, words := range says {
		require.Contains(t, log, words)
	}
	require.NotContains(t, log, "s3cret")
	require.NotContains(t, log, key)
	require.NotContains(t, log, "goroutine", "it is an error, not a crash")
}

// Functions that have nobody to tell apart need no key, and pass over one that is broken.
func TestStartsWithoutKeys(t *testing.T) {
	for _, name := range withoutKeys {
		f := start(t, name, "http://127.0.0.1:1", "BITVILLE_API_KEYS=no JSON")
		require.Empty(t, f.Log(t))
	}
}

// A sandbox that is started ahead of time, or for nothing, costs the database nothing. Nor does /health.
func TestInitOpensNoConnection(t *testing.T) {
	for _, c := range []struct {
		function string
		without  string // a request that needs no database
		with     func(*functiontest.Runtime)
	}{
		{"ingestphp", "GET /", func(f *functiontest.Runtime) { requireLater(t, post(t, f, phpRecord(1))) }},
		{"ingestpostgres", "GET /", func(f *functiontest.Runtime) {
			body := strings.Replace(phpRecord(1), "request_uri", "query", 1)
			requireLater(t, send(t, f, "POST /", body))
		}},
		{"importxhgui", "GET /run/import", func(f *functiontest.Runtime) {
			body := fmt.Sprintf(`{"profile":{},"meta":{"url":"/","request_ts":{"sec":%d}}}`, time.Now().Unix())
			require.Equal(t, http.StatusServiceUnavailable, send(t, f, "POST /run/import", body).StatusCode)
		}},
		{"importotlp", "GET /v1/traces", func(f *functiontest.Runtime) {
			body := fmt.Sprintf(`{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"f27e620cac0a569ad03589ab60e067ba","spanId":"01a65979902b4008","name":"x","kind":2,"startTimeUnixNano":"%[1]d","endTimeUnixNano":"%[1]d"}]}]}]}`, time.Now().UnixNano())
			require.Equal(t, http.StatusServiceUnavailable, send(t, f, "POST /v1/traces", body).StatusCode)
		}},
		{"importbuggregator", "GET /api/profiler/store", func(f *functiontest.Runtime) {
			body := fmt.Sprintf(`{"profile":{},"app_name":"shop","date":%d}`, time.Now().Unix())
			require.Equal(t, http.StatusAccepted, send(t, f, "POST /api/profiler/store", body).StatusCode)
		}},
		{"health", "GET /health", func(f *functiontest.Runtime) {
			require.Equal(t, http.StatusServiceUnavailable, send(t, f, "GET /ready", "").StatusCode)
		}},
		{"retention", "", func(f *functiontest.Runtime) {
			require.NotEmpty(t, f.Invoke(event(t, "schedule-rule")).Failed)
		}},
	} {
		t.Run(c.function, func(t *testing.T) {
			url, connections := countConnections(t)
			f := start(t, c.function, url)
			require.Zero(t, connections(), "at init")
			if c.without != "" {
				require.Less(t, send(t, f, c.without, "").StatusCode, 500)
				require.Zero(t, connections(), c.without)
			}
			c.with(f)
			require.Positive(t, connections(), "the test would have seen one")
		})
	}
}

// countConnections listens where a database could be, and hangs up on whoever comes. connections counts them:
// it comes itself, and is the last in the queue.
func countConnections(t *testing.T) (url string, connections func() int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	var came atomic.Int64
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			came.Add(1)
			_ = conn.Close()
		}
	}()
	own := 0
	return "http://" + l.Addr().String(), func() int {
		conn, err := net.Dial("tcp", l.Addr().String())
		require.NoError(t, err)
		_, _ = io.Copy(io.Discard, conn) // until it hangs up
		require.NoError(t, conn.Close())
		own++
		return int(came.Load()) - own
	}
}

// The schema is made by the first record that misses it.
func TestInitMakesNoSchema(t *testing.T) {
	server := libsqltest.Start(t)
	tables := func() [][]string {
		return server.Query(t, "SELECT name FROM sqlite_schema WHERE name = 'profiling_data'")
	}
	var php *functiontest.Runtime
	for _, name := range allFunctions {
		if f := start(t, name, server.URL); name == "ingestphp" {
			php = f
		}
	}
	require.Empty(t, tables())
	requireAccepted(t, 1, post(t, php, phpRecord(1)))
	require.Len(t, tables(), 1)
}
