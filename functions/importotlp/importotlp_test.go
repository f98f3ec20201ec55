package importotlp_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/functions/importotlp"
	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/contracttest"
	"github.com/bitville/listener/shared/intake"
	"github.com/bitville/listener/shared/intake/intaketest"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

var update = flag.Bool("update", false, "write testdata/records.golden anew")

// What each client sends beside its key.
var (
	pgTracing = []string{"Accept", "*/*", "Content-Type", "application/json"}
	php       = []string{"User-Agent", "OTel OTLP Exporter PHP/1.3.0"}
	python    = []string{"Content-Type", "application/x-protobuf", "User-Agent", "OTel-OTLP-Exporter-Python/1.45.1", "Accept-Encoding", "gzip, deflate", "Connection", "keep-alive"}
	js        = []string{"Content-Type", "application/json", "User-Agent", "OTel-OTLP-Exporter-JavaScript/0.223.1"}
	phpJSON   = append([]string{"Content-Type", "application/json"}, php...)
	protobuf  = append([]string{"Content-Type", "application/x-protobuf"}, php...)

	basic  = "Basic " + base64.StdEncoding.EncodeToString([]byte("shop:"+intaketest.Key))
	bearer = "Bearer " + intaketest.Key
	inPath = "/k/" + intaketest.Key + importotlp.Path
)

// TestCaptured sends what clients sent, as they did, and holds each field that is stored against testdata/records.golden, which was
// checked by hand against what the clients say of each. What is sent again is a duplicate.
func TestCaptured(t *testing.T) {
	const golden = "testdata/records.golden"
	requests := []struct {
		file, path, authorization string
		headers                   []string
		answer                    string
	}{
		{"pg_tracing-comment.json", importotlp.Path, basic, pgTracing, ""},
		{"pg_tracing-set-local.json", importotlp.Path, basic, pgTracing, ""},
		{"pg_tracing-nested-error.json", inPath, "", pgTracing, ""},
		{"otlp-php-slim-pdo.json", importotlp.Path, bearer, phpJSON, "{}"},
		{"otlp-php-slim-pdo.pb", importotlp.Path, bearer, protobuf, ""},
		{"otlp-php-error.json", importotlp.Path, bearer, phpJSON, "{}"},
		{"otlp-python-old-names.pb", importotlp.Path, bearer, python, ""},
		{"otlp-python-old-names.pb.gz", importotlp.Path, bearer, slices.Concat(python, []string{"Content-Encoding", "gzip", "X-Proj", "shop"}), ""},
		{"otlp-python-stable-names.pb", importotlp.Path, basic, python, ""},
		{"otlp-python-split-1.pb", importotlp.Path, bearer, python, ""},
		{"otlp-python-split-2.pb", importotlp.Path, bearer, python, ""},
		{"otlp-js-http-pg.json", inPath, "", js, "{}"},
		{"joined-2-otlp-php.json", importotlp.Path, bearer, phpJSON, "{}"},
		{"joined-3-pg_tracing.json", importotlp.Path, basic, pgTracing, ""},
	}
	traces := []string{
		"3f2c8a5e-9d4b-4c1f-a6e0-b7d2c3e4f501", "3f2c8a5e-9d4b-4c1f-a6e0-b7d2c3e4f502", "3f2c8a5e-9d4b-4c1f-a6e0-b7d2c3e4f504", "3f2c8a5e-9d4b-4c1f-a6e0-b7d2c3e4f505",
		"5a1d7c3e-8b2f-4d60-917e-6c5b4a392817", "f27e620c-ac0a-569a-d035-89ab60e067ba", "8d5b8786-1b61-68d2-52d8-1634a8ac208c", "aa78a9c6-789d-956c-e3bb-0a7034f829dd",
		"b082d4e3-c379-55e7-3755-ba2cac83c71a", "19569253-ad9c-b25b-d49d-772c2cdb16a4", "64cb0058-42a5-6f7c-953c-5b66977a9681", "77a64a7e-3756-91e6-199e-bcd213fe5232",
	}
	intaketest.OnBoth(t, func(t *testing.T, db store.Store) {
		var log strings.Builder
		var stored store.Count
		h := intaketest.Over(db, importotlp.New, func(cfg *intake.Config) {
			cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
			cfg.Count = func(c store.Count) {
				stored.Stored.Accepted += c.Stored.Accepted
				stored.Stored.Duplicates += c.Stored.Duplicates
				stored.Rejected = append(stored.Rejected, c.Rejected...)
			}
		})
		server := httptest.NewServer(h)
		defer server.Close()
		var text strings.Builder
		for _, r := range requests {
			body, err := os.ReadFile("../../testdata/dialects/" + r.file)
			require.NoError(t, err)
			for _, again := range []bool{false, true} {
				stored = store.Count{}
				req, err := http.NewRequest(http.MethodPost, server.URL+r.path, io.MultiReader(strings.NewReader(string(body)))) // a length that is not known is sent in chunks
				require.NoError(t, err)
				if !slices.Equal(r.headers, js) {
					req.ContentLength = int64(len(body))
				}
				req.Header["User-Agent"] = nil // or Go names itself
				for i := 0; i < len(r.headers); i += 2 {
					req.Header.Set(r.headers[i], r.headers[i+1])
				}
				req.Header.Set("Authorization", r.authorization)
				res, err := server.Client().Do(req)
				require.NoError(t, err)
				answer, err := io.ReadAll(res.Body)
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				require.Equal(t, http.StatusOK, res.StatusCode, "%s: %s", r.file, answer)
				require.Equal(t, r.answer, string(answer), r.file)
				require.Equal(t, req.Header.Get("Content-Type"), res.Header.Get("Content-Type"))
				require.Empty(t, stored.Rejected)
				if again {
					require.Zero(t, stored.Stored.Accepted)
					require.NotZero(t, stored.Stored.Duplicates)
				}
			}
		}
		for _, id := range traces {
			write(t, &text, db, id)
		}
		require.NotContains(t, log.String(), intaketest.Key)
		if *update {
			require.NoError(t, os.WriteFile(golden, []byte(text.String()), 0o644))
		}
		want, err := os.ReadFile(golden)
		require.NoError(t, err)
		require.Equal(t, string(want), text.String())
	})
}

// write writes what is stored under an id: each record's own fields, and the spans of its profile by kind and name.
func write(t *testing.T, to io.Writer, db store.Store, id string) {
	entries, err := db.ByCorrelationID(t.Context(), id)
	require.NoError(t, err)
	slices.SortStableFunc(entries, func(a, b store.Entry) int { return a.Timestamp.Compare(b.Timestamp) })
	fmt.Fprintf(to, "%s: %d records\n", id, len(entries))
	for _, e := range entries {
		var profile struct {
			Spans []struct{ TraceID, SpanID, ParentSpanID, Name, Scope string }
		}
		require.NoError(t, json.Unmarshal([]byte(e.Payload), &profile))
		require.Equal(t, []string{"shop", id}, []string{e.Project, e.CorrelationID})
		fmt.Fprintf(to, "\t%s %s %v ms\n\t\t%s\n\t\t%s\n", e.Source, e.Timestamp.UTC().Format("15:04:05.000000"), *e.DurationMS, e.Name, e.Attributes)
		for _, s := range profile.Spans {
			fmt.Fprintf(to, "\t\t- %s < %s: %s (%s)\n", s.SpanID, s.ParentSpanID, s.Name, s.Scope)
		}
	}
}

// span is a span of a body of JSON, at a time about intaketest.Now.
func span(id int, at time.Duration) string {
	start := intaketest.Now.Add(at).UnixNano()
	return fmt.Sprintf(`{"traceId":"f27e620cac0a569ad03589ab60e067ba","spanId":"%016d","name":"GET /","kind":2,"startTimeUnixNano":"%d","endTimeUnixNano":"%d"}`, id, start, start+1000)
}

func body(spans ...string) string {
	return `{"resourceSpans":[{"scopeSpans":[{"spans":[` + strings.Join(spans, ",") + `]}]}]}`
}

// TestAnswers holds the answers against what each client makes of them.
func TestAnswers(t *testing.T) {
	db, path := sqlitetest.New(t)
	full := contracttest.FailingStore(func() error {
		return &store.Unavailable{Reason: "the disk is full", RetryAfter: 3 * time.Second, Err: errors.New("secret: /var/lib")}
	})
	failure := func(text string) string { return fmt.Sprintf(`{"error":%q}`, text) }
	mixed := body(span(1, 0), span(2, -200*time.Hour), span(3, 2*time.Hour), span(4, 0))
	const malformed = "Invalid OTLP: the body is no ExportTraceServiceRequest in the format that Content-Type names"
	const old = "timestamp is older than the 168 hours that records are kept; send records sooner, in Unix seconds, and set the sender's clock"
	for _, c := range []struct {
		name, key, body string
		client          []string
		store           intake.Store
		status          int
		answer          string // of a client that reads it
	}{
		{"spans", bearer, body(span(5, 0)), js, db, 200, "{}"},
		{"none", bearer, "{}", js, db, 200, "{}"},
		{"none in protobuf", bearer, "", protobuf, db, 200, ""},
		{"spans that are broken", bearer, mixed, js, db, 200, `{"partialSuccess":{"rejectedSpans":"2","errorMessage":"span 1, counted from 0: ` + old + `"}}`},
		{"broken ones alone", bearer, body(span(2, -200*time.Hour)), js, db, 200, `{"partialSuccess":{"rejectedSpans":"1","errorMessage":"span 0, counted from 0: ` + old + `"}}`},
		{"broken in protobuf", bearer, "\x0a\x04\x12\x02\x12\x00", protobuf, db, 200, "\x0a\x49\x08\x01\x12\x45span 0, counted from 0: correlation_id must be a trace id of 16 bytes"},
		{"malformed", bearer, "{", js, db, 400, failure(malformed)},
		{"JSON as protobuf", bearer, "{}", protobuf, db, 400, failure(malformed)},
		{"another type", bearer, "{}", []string{"Content-Type", "text/plain", "User-Agent", "x"}, db, 415, failure("Unsupported Content-Type: send application/json or application/x-protobuf")},
		{"no key", "", "{}", js, db, 401, failure(`No API key: send the header "Authorization: Bearer <key>", or Basic with the key as the password, or /k/<key> before the URL's path`)},
		{"a wrong key", "Bearer wrong", "{}", js, db, 401, failure("Unknown API key: send one that the listener has for the project")},
		{"a key for another route", "Bearer limited", "{}", js, db, 403, failure("The key is for /run/import alone; nothing was stored")},
		{"too large", bearer, strings.Repeat(" ", intake.MaxSent+1), js, db, 413, failure("The body is over 16777216 bytes; send fewer records at a time, or compress it")},
		{"a store that is full", bearer, body(span(5, 0)), js, full, 503, failure("Not stored: the disk is full; send the same body again later")},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := intaketest.Over(c.store, importotlp.New, func(cfg *intake.Config) {
				cfg.Keys = auth.NewKeys([]auth.Key{{Project: "shop", Secret: intaketest.Key}, {Project: "shop", Secret: "limited", Routes: []string{"/run/import"}}})
			})
			w := intaketest.Post(h, importotlp.Path, []byte(c.body), append([]string{"Authorization", c.key}, c.client...)...)
			require.Equal(t, c.status, w.Code)
			require.Equal(t, c.answer, w.Body.String())
			require.Empty(t, w.Header().Get("Retry-After"))
			if c.status != 200 {
				require.Equal(t, "application/json", w.Header().Get("Content-Type"))
			}

			// pg_tracing writes what comes back to Postgres's log.
			w = intaketest.Post(h, importotlp.Path, []byte(c.body), append([]string{"Authorization", c.key}, c.client[:2]...)...)
			require.Equal(t, c.status, w.Code, "a recorder has no connection to close")
			require.Empty(t, w.Body.String())
			require.Empty(t, w.Header().Get("Retry-After"))
		})
	}
	require.Equal(t, [][]string{{"3"}}, sqlitetest.Query(t, path, "SELECT count(*) FROM profiling_data"))

	// Too many wrong keys are told to wait, without a time.
	h := intaketest.Over(db, importotlp.New, func(cfg *intake.Config) { cfg.Throttle = auth.NewThrottle(1, time.Now) })
	var w *httptest.ResponseRecorder
	for range 3 {
		w = intaketest.Post(h, importotlp.Path, nil, append([]string{"Authorization", ""}, js...)...)
	}
	require.Equal(t, 429, w.Code)
	require.Empty(t, w.Header().Get("Retry-After"))
}

// TestPgTracingComesAgain: pg_tracing takes every answer for success and sends a body again when there was none. So that is
// what overload is, and nothing else.
func TestPgTracingComesAgain(t *testing.T) {
	db, path := sqlitetest.New(t)
	var failing error = &store.Unavailable{Reason: "busy", RetryAfter: time.Second}
	h := intaketest.Over(busy{db, &failing}, importotlp.New, nil)
	server := httptest.NewServer(h)
	defer server.Close()
	server.Config.ErrorLog = nil
	send := func(key string) (int, error) {
		req, err := http.NewRequest(http.MethodPost, server.URL+importotlp.Path, strings.NewReader(body(span(1, 0))))
		require.NoError(t, err)
		req.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + key}, "User-Agent": nil}
		res, err := server.Client().Do(req)
		if err != nil {
			return 0, err
		}
		defer res.Body.Close()
		answer, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.Empty(t, answer)
		return res.StatusCode, nil
	}
	_, err := send(intaketest.Key)
	require.ErrorIs(t, err, io.EOF)
	status, err := send("wrong")
	require.NoError(t, err)
	require.Equal(t, 401, status)
	failing = nil
	for range 2 {
		status, err = send(intaketest.Key)
		require.NoError(t, err)
		require.Equal(t, 200, status)
	}
	require.Equal(t, [][]string{{"1"}}, sqlitetest.Query(t, path, "SELECT count(*) FROM profiling_data"))
}

// busy is a store that refuses what it is told to.
type busy struct {
	intake.Store
	err *error
}

func (b busy) Admit() error { return *b.err }

// TestCounts: records are counted by what they are, and broken spans by what they would be.
func TestCounts(t *testing.T) {
	db, _ := sqlitetest.New(t)
	counts := map[string]store.Count{}
	h := intaketest.Over(db, importotlp.New, func(cfg *intake.Config) {
		cfg.Count = func(c store.Count) {
			all := counts[c.Source]
			all.Stored.Accepted += c.Stored.Accepted
			all.Rejected = append(all.Rejected, c.Rejected...)
			counts[c.Source] = all
		}
	})
	require.Equal(t, 200, intaketest.Post(h, importotlp.Path, intaketest.Captured(t, "otlp-php-slim-pdo.json"), phpJSON...).Code)
	require.Equal(t, 200, intaketest.Post(h, importotlp.Path, []byte(body(span(1, -200*time.Hour))), phpJSON...).Code)
	require.Equal(t, 3, counts[record.Postgres.ID].Stored.Accepted)
	require.Equal(t, 1, counts[record.PHP.ID].Stored.Accepted)
	require.Len(t, counts[record.PHP.ID].Rejected, 1)
	require.Len(t, counts, 2)
}

// TestLarge sends what pg_tracing sends of an interval with many statements, up to the limit on the wire: no client splits it.
func TestLarge(t *testing.T) {
	var scopes [4]strings.Builder
	names := [4]string{"Planner", "ExecutorRun", "IndexScan", "Select query"}
	statements, size := 0, 0
	for ; size < 15<<20; statements++ {
		id := func(n int) string { return fmt.Sprintf("%016x", 4*statements+n+1) }
		parents := [4]string{id(3), id(3), id(1), "b39c2eabd3993833"}
		for n := range scopes {
			before := scopes[n].Len()
			fmt.Fprintf(&scopes[n], `,{"traceId":"%032x","spanId":"%s","parentSpanId":"%s","name":"SELECT abalance FROM pgbench_accounts WHERE aid = $1","kind":2,"startTimeUnixNano":"%d","endTimeUnixNano":"%[4]d","status":{"code":1},"attributes":[%s]}`,
				statements+1, id(n), parents[n], intaketest.Now.UnixNano(), `{"key":"blocks.shared.hit","value":{"intValue":63}},{"key":"query.query_id","value":{"intValue":-2578237145400211294}},{"key":"backend.pid","value":{"intValue":572}},{"key":"backend.user_id","value":{"intValue":10}},{"key":"backend.database_id","value":{"intValue":5}}`)
			size += scopes[n].Len() - before
		}
	}
	var all []string
	for n := range scopes {
		all = append(all, fmt.Sprintf(`{"scope":{"name":%q},"spans":[%s]}`, names[n], scopes[n].String()[1:]))
	}
	text := `{"resourceSpans":[{"scopeSpans":[` + strings.Join(all, ",") + `]}]}`
	require.Less(t, len(text), intake.MaxSent)
	db, path := sqlitetest.New(t)
	h := intaketest.Over(db, importotlp.New, nil)
	for range 2 {
		require.Equal(t, 200, intaketest.Post(h, importotlp.Path, []byte(text), pgTracing...).Code)
		require.Equal(t, [][]string{{fmt.Sprint(statements)}}, sqlitetest.Query(t, path, "SELECT count(*) FROM profiling_data WHERE source = 'postgres_agent'"))
	}
}
