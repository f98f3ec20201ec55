package functions_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdaurl"
	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/functions"
	"github.com/bitville/listener/functions/traces"
	settings "github.com/bitville/listener/shared/config"
	"github.com/bitville/listener/shared/contracttest"
	"github.com/bitville/listener/shared/host"
	"github.com/bitville/listener/shared/intake"
	"github.com/bitville/listener/shared/lambdahost"
	"github.com/bitville/listener/shared/lambdahost/functiontest"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/libsql/libsqltest"
)

// TestContract sends the requests that localdev's test sends, as events: to the handlers under lambdaurl, where
// the race detector sees them, and to the built bootstraps.
func TestContract(t *testing.T) {
	t.Run("lambdaurl", func(t *testing.T) {
		t.Parallel()
		db, server := libsqltest.New(t)
		target := target(t, wrapped(t, db, 100))
		requireRows(t, server, contracttest.Run(t, target))
		contracttest.RunFailing(t, func(t *testing.T, store contracttest.FailingStore) contracttest.Target {
			failing := serve(t, wrapped(t, store, 100))
			failing.Document = target.Document
			return failing
		})
		throttling := serve(t, wrapped(t, db, 5))
		throttling.Document = target.Document
		contracttest.RunThrottled(t, throttling, 5)
		require.Empty(t, target.Document.Unseen(t, traces.Path[:len(traces.Path)-1]), "infra/openapi.yaml has answers that no event brought about")
	})
	t.Run("bootstraps", func(t *testing.T) {
		t.Parallel()
		server := libsqltest.Start(t)
		urls := map[string]*functiontest.Runtime{}
		target := target(t, front(func(f functions.Function) http.Handler {
			cfg := config(f.Name, server.URL)
			if f.Needs.Keys {
				cfg.Env = append(cfg.Env, contracttest.LimitedKeys)
			}
			cfg.MaxEvent = 16 << 20 // so that the function itself refuses what is too large
			urls[f.Name] = functiontest.Start(t, cfg)
			return urls[f.Name]
		}))
		requireRows(t, server, contracttest.Run(t, target))
		for name, url := range urls {
			require.Equal(t, 1, url.Starts(), "%s lives on whatever is sent", name)
		}
	})
}

// wrapped are the URLs of the functions in this process, which take so many wrong keys a minute.
func wrapped(t testing.TB, db store.Writer, failures int) http.Handler {
	deps := depsOf(t, db, failures, slog.New(slog.DiscardHandler))
	return front(func(f functions.Function) http.Handler {
		return functiontest.URL(wrap(lambdahost.Handler(deps, f.New(deps))))
	})
}

// depsOf is what the functions are given on AWS Lambda.
func depsOf(t testing.TB, db store.Writer, failures int, log *slog.Logger) host.Deps {
	t.Helper()
	cfg, _, err := settings.LoadFunction([]string{
		keyVar, contracttest.LimitedKeys, "BITVILLE_DB_URL=http://127.0.0.1:1", "BITVILLE_AUTH_FAILURES_PER_MINUTE=" + strconv.Itoa(failures),
	}, true)
	require.NoError(t, err)
	return host.New(cfg, db, log, time.Now, version, host.Unobserved)
}

// wrap runs a handler as lambdaurl.Start does, on one event.
func wrap(h http.Handler) func([]byte) functiontest.Answer {
	handle := lambdaurl.Wrap(h)
	return func(event []byte) functiontest.Answer {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		var request events.LambdaFunctionURLRequest
		if err := json.Unmarshal(event, &request); err != nil {
			return functiontest.Answer{Failed: "Unmarshal", Error: err.Error()}
		}
		response, err := handle(ctx, &request)
		if err != nil {
			return functiontest.Answer{Failed: "Unhandled", Error: err.Error()}
		}
		defer response.Close()
		body, err := io.ReadAll(response)
		answer := functiontest.Answer{Body: body, ContentType: response.ContentType(), Chunked: true}
		if err != nil {
			answer.Failed, answer.Error = "Unhandled", err.Error()
		}
		return answer
	}
}

// front is one address for the URLs of all functions. What none of them has it asks each in turn.
func front(url func(functions.Function) http.Handler) http.Handler {
	var all []http.Handler
	byPath := map[string]http.Handler{}
	for _, f := range functions.OnLambda() {
		if len(f.Patterns) == 0 {
			continue
		}
		h := url(f)
		all = append(all, h)
		for _, pattern := range f.Patterns {
			_, path, _ := strings.Cut(pattern, " ")
			byPath[path] = h
		}
	}
	next := make(chan int, 1)
	next <- 0
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.EscapedPath()
		if parts := strings.SplitN(path, "/", 4); len(parts) == 4 && parts[1] == "k" {
			path = intake.KeyInPath("/" + parts[3])
		}
		if h, ok := byPath[path]; ok {
			h.ServeHTTP(w, r)
			return
		}
		n := <-next
		next <- (n + 1) % len(all)
		all[n].ServeHTTP(w, r)
	})
}

// The list is what the functions answer, and what the document says of them.
func TestList(t *testing.T) {
	deps := depsOf(t, taking{}, 100, slog.New(slog.DiscardHandler))
	var all []string
	for _, f := range functions.All {
		all = append(all, f.Patterns...)
		if len(f.Patterns) > 0 {
			require.ElementsMatch(t, f.Patterns, slices.Collect(maps.Keys(f.New(deps))), f.Name)
		}
		require.Equal(t, f.Needs.Schedule, len(f.Patterns) == 0, "%s: what runs it?", f.Name)
	}
	// The document has each page once: not its .json, nor the pages' own files, nor what answers for paths that are not there.
	all = slices.DeleteFunc(all, func(pattern string) bool {
		return strings.HasSuffix(pattern, ".json") || strings.Contains(pattern, "/assets/") || strings.HasSuffix(pattern, "...}")
	})
	for i := range all {
		all[i] = strings.Replace(all[i], "{part}", "profile", 1) // the one part that there is
	}
	require.ElementsMatch(t, contracttest.Load(t).Patterns(t), all, "infra/openapi.yaml")
	var programs []string
	for _, f := range functions.OnLambda() {
		programs = append(programs, f.Name+"/lambda")
	}
	folders, err := filepath.Glob("*/lambda")
	require.NoError(t, err)
	require.ElementsMatch(t, programs, folders, "each function is in the list")
}

func target(t *testing.T, h http.Handler) contracttest.Target {
	target := serve(t, h)
	target.Document = contracttest.Load(t)
	return target
}

func serve(t *testing.T, h http.Handler) contracttest.Target {
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return contracttest.Target{URL: srv.URL, Client: srv.Client(), Key: key, Project: project, Limited: contracttest.LimitedKey}
}

// requireRows counts what is stored against what the answers said.
func requireRows(t *testing.T, server *libsqltest.Server, accepted int) {
	t.Helper()
	require.Positive(t, accepted)
	require.Equal(t, [][]string{{project, strconv.Itoa(accepted)}},
		server.Query(t, "SELECT project, count(*) FROM profiling_data GROUP BY project"))
}

// A function answers on its own paths and, if it takes records, on "/"; another's path is a 404.
func TestOwnPaths(t *testing.T) {
	server := libsqltest.Start(t)
	for _, c := range []struct {
		function string
		route    string
		status   int
	}{
		{"ingestphp", "POST /", 400},
		{"ingestphp", "POST /ingest/php", 400},
		{"ingestphp", "GET /", 405},
		{"ingestphp", "POST /ingest/postgres", 404},
		{"ingestphp", "GET /health", 404},
		{"ingestpostgres", "POST /", 400},
		{"ingestpostgres", "POST /ingest/postgres", 400},
		{"ingestpostgres", "POST /ingest/php", 404},
		{"importxhgui", "POST /run/import", 400},
		{"importxhgui", "POST /", 404},
		{"importxhgui", "POST /ingest/php", 404},
		{"importotlp", "POST /v1/traces", 200}, // {} has no spans
		{"importotlp", "POST /", 404},
		{"importotlp", "POST /run/import", 404},
		{"importbuggregator", "POST /api/profiler/store", 400},
		{"importbuggregator", "POST /run/import", 404},
		{"refusals", "GET /refusals", 200},
		{"refusals", "POST /ingest/php", 404},
		{"health", "GET /health", 200},
		{"health", "GET /ready", 200},
		{"health", "GET /", 404},
		{"health", "POST /ingest/php", 404},
	} {
		t.Run(c.function+" "+c.route, func(t *testing.T) {
			t.Parallel()
			res := send(t, start(t, c.function, server.URL), c.route, "{}")
			require.Equal(t, c.status, res.StatusCode)
			require.NotEmpty(t, res.Header.Get("X-Request-Id"))
		})
	}
}
