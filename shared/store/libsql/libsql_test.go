package libsql_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/libsql"
	"github.com/bitville/listener/shared/store/libsql/libsqltest"
	"github.com/bitville/listener/shared/store/storetest"
)

func count(t testing.TB, s *libsqltest.Server) string {
	t.Helper()
	return s.Query(t, "SELECT count(*) FROM profiling_data")[0][0]
}

// What is stored is what was sent, to the last bit and byte, by both statements.
func TestInsertIsExact(t *testing.T) {
	db, server := libsqltest.New(t)
	big := "{\"a\":\"" + strings.Repeat(`\"\\`, 900_000) + "\"}" // over 2 MiB as JSON within JSON
	tenth := 0.1
	in := []record.Record{
		{CorrelationID: "a", Project: "shop", Source: "postgres_agent", Timestamp: 1763843023959754, Name: "SELECT 'é\n😀<&>\u2028'", Digest: math.MinInt64,
			Attributes: []byte(`{"query_id":-1827459224716984620,"z":0.000}`), Payload: []byte("{ \"n\": 9007199254740993,\n\t\"k\":\"\\ud800\\/\" }")},
		{CorrelationID: "b", Project: "shop", Source: "php_agent", Timestamp: 1, Name: "/", DurationMS: &tenth, Payload: []byte("{}"), Digest: math.MaxInt64},
		{CorrelationID: "c", Project: "shop", Source: "php_agent", Timestamp: 2, Name: "/big", DurationMS: &tenth, Attributes: []byte(`{"x":1}`), Payload: []byte(big), Digest: -1},
		{CorrelationID: "d", Project: "shop", Source: "php_agent", Timestamp: 3, Name: "/big", Payload: []byte(big), Digest: 1},
	}
	result, err := db.Insert(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, store.Result{Accepted: 4}, result)
	rows := server.Query(t, `SELECT correlation_id, project, source, timestamp, duration_ms, typeof(duration_ms), name, attributes, payload,
		typeof(payload), digest, typeof(digest) FROM profiling_data ORDER BY correlation_id`)
	require.Equal(t, [][]string{
		{"a", "shop", "postgres_agent", "1763843023959754", "", "null", "SELECT 'é\n😀<&>\u2028'", `{"query_id":-1827459224716984620,"z":0.000}`,
			"{ \"n\": 9007199254740993,\n\t\"k\":\"\\ud800\\/\" }", "text", fmt.Sprint(int64(math.MinInt64)), "integer"},
		{"b", "shop", "php_agent", "1", "0.1", "real", "/", "", "{}", "text", fmt.Sprint(int64(math.MaxInt64)), "integer"},
		{"c", "shop", "php_agent", "2", "0.1", "real", "/big", `{"x":1}`, big, "text", "-1", "integer"},
		{"d", "shop", "php_agent", "3", "", "null", "/big", "", big, "text", "1", "integer"},
	}, rows)
	entries, err := db.ByCorrelationID(t.Context(), "c")
	require.NoError(t, err)
	require.Equal(t, []store.Entry{{CorrelationID: "c", Project: "shop", Source: "php_agent", Timestamp: time.UnixMicro(2), DurationMS: &tenth,
		Name: "/big", Attributes: `{"x":1}`, Payload: big}}, entries)
	result, err = db.Insert(t.Context(), append(in, storetest.Record(1)))
	require.NoError(t, err)
	require.Equal(t, store.Result{Accepted: 1, Duplicates: 4}, result)
}

func TestLargestRecordAndFullBatch(t *testing.T) {
	db, server := libsqltest.New(t)
	largest := storetest.Record(1)
	largest.Payload = []byte(`{"a":"` + strings.Repeat("x", record.MaxBytes-300) + `"}`)
	many := storetest.Records(2, 5001)
	result, err := db.Insert(t.Context(), append(many, largest))
	require.NoError(t, err)
	require.Equal(t, store.Result{Accepted: 5000}, result)
	require.Equal(t, "5000", count(t, server))
	result, err = db.Insert(t.Context(), append(many, storetest.Record(2)))
	require.NoError(t, err)
	require.Equal(t, store.Result{Duplicates: 5000}, result)
}

// The schema is made by whoever comes first, and by several at once.
func TestSchemaIsMadeWhenMissed(t *testing.T) {
	server := libsqltest.Start(t)
	var wg sync.WaitGroup
	for n := range 8 {
		db := libsqltest.Open(t, server.URL)
		wg.Go(func() {
			result, err := db.Insert(context.Background(), storetest.Records(n, n+1))
			if err != nil || result.Accepted+result.Duplicates != 1 {
				t.Errorf("insert %d: %+v, %v", n, result, err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, "8", count(t, server))
	require.Equal(t, [][]string{{"profiling_data_project"}, {"profiling_data_source"}, {"sqlite_autoindex_profiling_data_1"}},
		server.Query(t, "SELECT name FROM sqlite_schema WHERE type = 'index' ORDER BY name"))
}

func TestReadyMakesNoRecord(t *testing.T) {
	db, server := libsqltest.New(t)
	require.NoError(t, db.Ready(t.Context()))
	require.Equal(t, "0", count(t, server))
	server.Kill()
	var u *store.Unavailable
	require.ErrorAs(t, db.Ready(t.Context()), &u)
	require.Equal(t, "the database cannot be reached: nothing listens at BITVILLE_DB_URL", u.Reason)
	server.Restart(t)
	require.NoError(t, db.Ready(t.Context()))
}

func TestPurge(t *testing.T) {
	db, server := libsqltest.New(t)
	cut := time.Now().Add(-24 * time.Hour).Truncate(time.Microsecond)
	var all []record.Record
	for n := range 5000 {
		r := storetest.Record(n)
		r.Timestamp = cut.UnixMicro() + int64(n)
		if n%10 != 0 && n%10 != 5 {
			r.Timestamp = cut.UnixMicro() - int64(n) - 1
		}
		all = append(all, r)
	}
	_, err := db.Insert(t.Context(), all)
	require.NoError(t, err)

	// With too little time left nothing is begun, and the report says so.
	short, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	report, err := db.Purge(short, cut)
	require.NoError(t, err)
	require.Equal(t, store.PurgeReport{Unfinished: true}, report)

	report, err = db.Purge(t.Context(), cut)
	require.NoError(t, err)
	require.Equal(t, 4000, report.Rows)
	require.False(t, report.Unfinished)
	require.True(t, report.Oldest.Equal(cut), "%s is not %s", report.Oldest, cut)
	require.Equal(t, "1000", count(t, server))
}

func TestPurgeOfAnEmptyServer(t *testing.T) {
	db, _ := libsqltest.New(t)
	report, err := db.Purge(t.Context(), time.Now())
	require.NoError(t, err)
	require.Equal(t, store.PurgeReport{}, report)
}

func TestNewOpensNoConnection(t *testing.T) {
	db, err := libsql.New(libsql.Config{URL: "http://127.0.0.1:1", AuthToken: "token", Now: time.Now})
	require.NoError(t, err)
	require.NoError(t, db.Close())
}
