package functions_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/lambdahost/functiontest"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store/libsql/libsqltest"
)

// theirTimes lets the recorded events be posted as they stand, however old they are by now.
const theirTimes = "BITVILLE_RETENTION=876000h"

// urlOf is the URL of a function that gets a recorded event, whatever is asked of it.
func urlOf(f *functiontest.Runtime, event []byte) http.Handler {
	return functiontest.URL(func([]byte) functiontest.Answer { return f.Invoke(event) })
}

// Recorded events, and what the log says of them. The body's bytes are what came over the wire, though a body
// in base64 arrives without a length; the address is the client's, which stands there without a port.
func TestRecordedEvents(t *testing.T) {
	server := libsqltest.Start(t)
	for _, c := range []struct {
		function, event string
		status          int
		answer          string
		logs            map[string]any
	}{
		{"ingestphp", "ingest-php-gzip", 200, `{"accepted":2,"duplicates":0,"rejected":[]}`, map[string]any{
			"method": "POST", "path": "/ingest/php", "status": 200.0, "bytes": 262.0, "remote": "203.0.113.9", "project": "my_shop", "accepted": 2.0,
		}},
		{"ingestpostgres", "ingest-postgres-text", 200, `{"accepted":1,"duplicates":0,"rejected":[]}`, map[string]any{
			"method": "POST", "path": "/", "status": 200.0, "bytes": 302.0, "remote": "2001:db8::7", "request_id": "pg-1", "accepted": 1.0,
		}},
		{"health", "health", 200, "OK", map[string]any{"method": "GET", "path": "/health", "status": 200.0, "bytes": 0.0, "remote": "203.0.113.9"}},
	} {
		t.Run(c.event, func(t *testing.T) {
			f := start(t, c.function, server.URL, theirTimes)
			res := send(t, urlOf(f, event(t, c.event)), "GET /", "")
			require.Equal(t, c.answer, text(t, res))
			require.Equal(t, c.status, res.StatusCode)
			require.NotEmpty(t, res.Header.Get("X-Request-Id"))
			logged := lines(t, f)
			require.Len(t, logged, 1)
			for name, want := range c.logs {
				require.Equal(t, want, logged[0][name], name)
			}
		})
	}
	require.Equal(t, [][]string{
		{"0af76519-16cd-43dd-8448-eb211c80319c", "php_agent", "1763843024000000", "", "/checkout", "{}"},
		{"66d1d4d6-40b3-4cf0-83e9-bb174aed954f", "php_agent", "1763843023250000", "17.8", "/cart?step=2",
			`{"main()==>Cart::total":{"ct":1,"wt":9120,"mu":1024},"main()":{"ct":1,"wt":17800}}`},
		{"66d1d4d6-40b3-4cf0-83e9-bb174aed954f", "postgres_agent", "1763843023260000", "3.125", "SELECT price FROM items WHERE name = 'Käse'",
			`{"Plan": {"Node Type": "Seq Scan", "Relation Name": "items"}}`},
	}, server.Query(t, "SELECT correlation_id, source, timestamp, duration_ms, name, payload FROM profiling_data ORDER BY correlation_id, source"))
}

// What the runtime makes of a request must be what the recorded events are, or the other tests prove little.
func TestEventsAreAsRecorded(t *testing.T) {
	for _, name := range []string{"ingest-php-gzip", "ingest-postgres-text", "health"} {
		t.Run(name, func(t *testing.T) {
			var recorded, made events.LambdaFunctionURLRequest
			require.NoError(t, json.Unmarshal(event(t, name), &recorded))
			body := []byte(recorded.Body)
			if recorded.IsBase64Encoded {
				var err error
				body, err = base64.StdEncoding.DecodeString(recorded.Body)
				require.NoError(t, err)
			}
			context := recorded.RequestContext
			r := httptest.NewRequest(context.HTTP.Method, recorded.RawPath+"?"+recorded.RawQueryString, nil)
			for header, value := range recorded.Headers {
				r.Header.Set(header, value)
			}
			require.NoError(t, json.Unmarshal(functiontest.Event(r, body, context.RequestID), &made))
			// The client's address, the trace and the time are the runtime's own.
			made.RequestContext.Time, made.RequestContext.TimeEpoch = context.Time, context.TimeEpoch
			made.RequestContext.HTTP.SourceIP = context.HTTP.SourceIP
			for _, header := range []string{"x-forwarded-for", "x-amzn-trace-id"} {
				made.Headers[header] = recorded.Headers[header]
			}
			require.Equal(t, recorded, made)
		})
	}
}

// A purge is what any event of a schedule means: a rule's detail is an object, a scheduler's is a text. It is
// told in one line.
func TestRetention(t *testing.T) {
	db, server := libsqltest.New(t)
	now := time.Now()
	week := 7 * 24 * time.Hour
	for n, name := range []string{"schedule-rule", "schedule-scheduler"} {
		t.Run(name, func(t *testing.T) {
			var all []record.Record
			for i, age := range []time.Duration{week + time.Hour, week + time.Minute, week - time.Minute, 0} {
				all = append(all, record.Record{
					CorrelationID: "66d1d4d6-40b3-4cf0-83e9-bb174aed954f", Project: "shop", Source: "php_agent", Name: "/",
					Timestamp: now.Add(-age).UnixMicro(), Payload: []byte("{}"), Digest: int64(10*n + i),
				})
			}
			_, err := db.Insert(t.Context(), all)
			require.NoError(t, err)
			cfg := config("retention", server.URL)
			cfg.Timeout = 5 * time.Minute // as in template.yaml
			f := functiontest.Start(t, cfg)
			answer := f.Invoke(event(t, name))
			require.Empty(t, answer.Failed, answer.Error)
			logged := lines(t, f)
			require.Len(t, logged, 1)
			require.Equal(t, "purge", logged[0]["msg"])
			require.Equal(t, "INFO", logged[0]["level"])
			require.Equal(t, 2.0, logged[0]["rows_deleted"])
			require.Contains(t, logged[0], "duration_ms")
			oldest, err := time.Parse(time.RFC3339Nano, logged[0]["oldest_record"].(string))
			require.NoError(t, err)
			require.WithinDuration(t, now.Add(-week+time.Minute), oldest, time.Millisecond)
			require.Equal(t, 1, f.Starts())
		})
	}
	require.Equal(t, [][]string{{"4"}}, server.Query(t, "SELECT count(*) FROM profiling_data"))
}

// A purge that fails is an error of the function, so that the schedule tries again and alarms see it.
func TestRetentionFails(t *testing.T) {
	server := libsqltest.Start(t)
	server.Kill()
	f := start(t, "retention", server.URL)
	answer := f.Invoke(event(t, "schedule-rule"))
	require.NotEmpty(t, answer.Failed)
	require.Contains(t, answer.Error, "the database cannot be reached")
	server.Restart(t)
	answer = f.Invoke(event(t, "schedule-rule"))
	require.Empty(t, answer.Failed, answer.Error)
	require.Equal(t, 1, f.Starts(), "it lives on")
}

// Above 6 MB the service refuses by itself; all that the contract allows arrives.
func TestLargestEvent(t *testing.T) {
	server := libsqltest.Start(t)
	f := start(t, "ingestphp", server.URL)
	pad := func(bytes int) string {
		r := phpRecord(1)
		return r + strings.Repeat(" ", bytes-len(r))
	}
	requireAccepted(t, 1, post(t, f, pad(4<<20)))
	res := post(t, f, pad(4<<20+1))
	require.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode)
	require.NotEmpty(t, res.Header.Get("X-Request-Id"), "from the function")
	res = post(t, f, pad(7<<20))
	require.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode)
	require.Empty(t, res.Header.Get("X-Request-Id"), "from the service")
}
