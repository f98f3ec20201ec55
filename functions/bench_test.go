package functions_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/functions/ingestphp"
	"github.com/bitville/listener/shared/lambdahost"
	"github.com/bitville/listener/shared/lambdahost/functiontest"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/libsql/libsqltest"
)

// BenchmarkLambdaColdStart starts functions again and again, each beside the least function that Go can be.
// Its figures are medians of at least forty starts, taken in turn, and how many times the least function's they
// are. The goals: ready and the first /health in 1.5 times, the first stored record in 3 times. tursodb looks for
// requests every 10 ms, so that "stored" holds 5 ms of waiting: "database" is the same for a process that has
// been there before, and "at-once" the first record with a server that does not wait.
func BenchmarkLambdaColdStart(b *testing.B) {
	server := libsqltest.Start(b)
	db := libsqltest.Open(b, server.URL)
	require.NoError(b, db.Ready(b.Context())) // makes the schema
	atOnce := startStub(b, false)
	ms := map[string][]float64{}
	add := func(name string, d time.Duration) { ms[name] = append(ms[name], d.Seconds()*1000) }
	cold := func(name string, cfg functiontest.Config, first string, use func(*functiontest.Runtime)) {
		f := functiontest.Start(b, cfg)
		use(f)
		add(name+"-"+first, time.Since(f.Started()))
		add(name+"-ready", f.Init())
		f.Stop()
	}
	// Without it all starts would fall on one moment of tursodb's 10 ms.
	anyMoment := func() { time.Sleep(rand.N(10 * time.Millisecond)) }
	for n := range max(b.N, 40) {
		stores := func(f *functiontest.Runtime) {
			require.Equal(b, http.StatusOK, post(b, f, phpRecord(n)).StatusCode)
		}
		cold("hello", functiontest.Config{Bootstrap: program("hello")}, "first", func(f *functiontest.Runtime) {
			require.Equal(b, "Hello", text(b, send(b, f, "GET /", "")))
		})
		cold("health", config("health", server.URL), "first", func(f *functiontest.Runtime) {
			require.Equal(b, "OK", text(b, send(b, f, "GET /health", "")))
		})
		cold("ingest", config("ingestphp", atOnce.URL), "at-once", stores)
		anyMoment()
		cold("ingest", config("ingestphp", server.URL), "stored", stores)
		anyMoment()
		begun := time.Now()
		require.NoError(b, db.Ready(b.Context()))
		add("database", time.Since(begun))
	}
	b.ReportMetric(0, "ns/op")
	for name, all := range ms {
		b.ReportMetric(median(all), "ms-"+name)
	}
	for name, least := range map[string]string{
		"health-ready": "hello-ready", "ingest-ready": "hello-ready",
		"health-first": "hello-first", "ingest-stored": "hello-first", "ingest-at-once": "hello-first",
	} {
		b.ReportMetric(median(ms[name])/median(ms[least]), "x-"+name)
	}
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// taking is a store that has what it is given at once.
type taking struct{}

func (taking) Admit() error { return nil }

func (taking) Ready(context.Context) error { return nil }

func (taking) Insert(_ context.Context, records []record.Record) (store.Result, error) {
	return store.Result{Accepted: len(records)}, nil
}

// BenchmarkLambdaWarm is what the function adds to an event with one record of 2 KB when the store takes no time:
// the handler alone, and with what lambdaurl does before and after it. The goal: the handler in 150 µs.
func BenchmarkLambdaWarm(b *testing.B) {
	deps := depsOf(b, taking{}, 100, slog.New(slog.NewJSONHandler(io.Discard, nil)))
	h := lambdahost.Handler(deps, ingestphp.New(deps.Intake))
	edges := map[string]map[string]int{}
	for n := 0; len(phpRecord(1))+len(edges)*62 < 2<<10; n++ {
		edges[fmt.Sprintf("App\\Shop\\Cart::item%02d==>PDO::query%02d", n, n)] = map[string]int{"ct": 1, "wt": 100 + n}
	}
	profile, err := json.Marshal(edges)
	require.NoError(b, err)
	body := strings.Replace(phpRecord(1), `{"main()":{"ct":1,"wt":9120}}`, string(profile), 1)
	require.InDelta(b, 2048, len(body), 200)
	newRequest := func() *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/ingest/php", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+key)
		r.Header.Set("Content-Type", "application/json")
		return r
	}
	b.Run("handler", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, newRequest())
			if w.Code != http.StatusOK {
				b.Fatal(w.Body)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N), "µs/event")
	})
	b.Run("lambdaurl", func(b *testing.B) {
		event := functiontest.Event(newRequest(), []byte(body), "1")
		invoke := wrap(h)
		b.ReportAllocs()
		for b.Loop() {
			if answer := invoke(event); !bytes.Contains(answer.Body, []byte(`"accepted":1`)) {
				b.Fatal(string(answer.Body))
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N), "µs/event")
	})
}
