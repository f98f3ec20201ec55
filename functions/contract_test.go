package functions_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambdaurl"
	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/functions/health"
	"github.com/bitville/listener/functions/ingestphp"
	"github.com/bitville/listener/functions/ingestpostgres"
	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/contracttest"
	"github.com/bitville/listener/shared/intake"
	"github.com/bitville/listener/shared/lambdahost/functiontest"
	"github.com/bitville/listener/shared/store/libsql/libsqltest"
)

// TestContract sends the requests that localdev's test sends, as events: to the handlers under lambdaurl, where
// the race detector sees them, and to the built bootstraps.
func TestContract(t *testing.T) {
	t.Run("lambdaurl", func(t *testing.T) {
		t.Parallel()
		db, server := libsqltest.New(t)
		target := target(t, wrapped(db, 100))
		requireRows(t, server, contracttest.Run(t, target))
		contracttest.RunFailing(t, func(t *testing.T, store contracttest.FailingStore) contracttest.Target {
			failing := serve(t, wrapped(store, 100))
			failing.Document = target.Document
			return failing
		})
		throttling := serve(t, wrapped(db, 5))
		throttling.Document = target.Document
		contracttest.RunThrottled(t, throttling, 5)
		require.Empty(t, target.Document.Unseen(t), "infra/openapi.yaml has answers that no event brought about")
	})
	t.Run("bootstraps", func(t *testing.T) {
		t.Parallel()
		server := libsqltest.Start(t)
		urls := map[string]*functiontest.Runtime{}
		for _, name := range []string{"ingestphp", "ingestpostgres", "health"} {
			cfg := config(name, server.URL)
			cfg.MaxEvent = 16 << 20 // so that the function itself refuses what is too large
			urls[name] = functiontest.Start(t, cfg)
		}
		target := target(t, front(urls["ingestphp"], urls["ingestpostgres"], urls["health"]))
		requireRows(t, server, contracttest.Run(t, target))
		for name, url := range urls {
			require.Equal(t, 1, url.Starts(), "%s lives on whatever is sent", name)
		}
	})
}

// database is what the handlers need of one.
type database interface {
	intake.Store
	health.Store
}

// wrapped are the URLs of the functions in this process, which take so many wrong keys a minute.
func wrapped(db database, failures int) http.Handler {
	log := slog.New(slog.DiscardHandler)
	cfg := intake.Config{
		Keys:      auth.NewKeys([]auth.Key{{Project: project, Secret: key}}),
		Store:     db,
		Log:       log,
		Now:       time.Now,
		Retention: 7 * 24 * time.Hour,
		Bodies:    intake.NewBodies(4 << 20),
		Throttle:  auth.NewThrottle(failures, time.Now),
	}
	return front(
		functiontest.URL(wrap(ingestphp.New(cfg))),
		functiontest.URL(wrap(ingestpostgres.New(cfg))),
		functiontest.URL(wrap(health.New(health.Config{Store: db, Log: log, Now: time.Now, Version: version}))),
	)
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

// front is one address for the URLs of three functions. What none of them has it asks each in turn.
func front(php, postgres, health http.Handler) http.Handler {
	all := []http.Handler{php, postgres, health}
	next := make(chan int, 1)
	next <- 0
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.EscapedPath() {
		case ingestphp.Path:
			php.ServeHTTP(w, r)
		case ingestpostgres.Path:
			postgres.ServeHTTP(w, r)
		case "/health", "/ready":
			health.ServeHTTP(w, r)
		default:
			n := <-next
			next <- (n + 1) % len(all)
			all[n].ServeHTTP(w, r)
		}
	})
}

func target(t *testing.T, h http.Handler) contracttest.Target {
	target := serve(t, h)
	target.Document = contracttest.Load(t)
	return target
}

func serve(t *testing.T, h http.Handler) contracttest.Target {
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return contracttest.Target{URL: srv.URL, Client: srv.Client(), Key: key, Project: project}
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
