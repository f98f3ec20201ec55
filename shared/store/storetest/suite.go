package storetest

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/refusals"
	"github.com/bitville/listener/shared/store"
)

// Run holds a store to what package store says of all of them. open returns one that is empty, and what runs a query on its
// database beside it and returns the rows as text.
func Run(t *testing.T, open func(t *testing.T) (store.Store, func(query string) [][]string)) {
	count := func(query func(string) [][]string) string { return query("SELECT count(*) FROM profiling_data")[0][0] }
	for name, test := range map[string]func(t *testing.T, s store.Store, query func(string) [][]string){
		"reading back": func(t *testing.T, s store.Store, query func(string) [][]string) {
			const id = "d37cc455-87f5-457f-b02d-86776b296414"
			zero, tenth := 0.0, 0.1
			big := "{\"a\":\"" + strings.Repeat(`\"\\`, 300_000) + "\"}" // over 2 MiB as JSON within JSON
			in := []record.Record{
				{CorrelationID: id, Project: "shop", Source: "postgres_agent", Timestamp: 1763843023959754, Name: "SELECT 'é\n😀<&>\u2028'", Digest: math.MinInt64,
					Attributes: []byte(`{"query_id":-1827459224716984620,"z":0.000}`), Payload: []byte("{ \"n\": 9007199254740993,\n\t\"k\":\"\\ud800\\/\" }")},
				{CorrelationID: id, Project: "shop", Source: "php_agent", Timestamp: 1763843023000001, Name: "/", DurationMS: &zero, Payload: []byte("{}"), Digest: math.MaxInt64},
				{CorrelationID: "c", Project: "shop", Source: "php_agent", Timestamp: 2, Name: "/big", DurationMS: &tenth, Attributes: []byte(`{"x":1}`), Payload: []byte(big), Digest: -1},
				{CorrelationID: "c", Project: "shop", Source: "php_agent", Timestamp: 3, Name: "/small", Payload: []byte("{}"), Digest: 1},
			}
			before := time.Now().Truncate(time.Microsecond)
			result, err := s.Insert(t.Context(), in)
			require.NoError(t, err)
			require.Equal(t, store.Result{Accepted: 4}, result)
			after := time.Now()
			for id, order := range map[string][]int{id: {1, 0}, "c": {2, 3}, "d": nil} {
				var want []store.Entry
				for _, i := range order {
					r := in[i]
					want = append(want, store.Entry{CorrelationID: r.CorrelationID, Project: r.Project, Source: r.Source, Timestamp: time.UnixMicro(r.Timestamp),
						DurationMS: r.DurationMS, Name: r.Name, Attributes: string(r.Attributes), Payload: string(r.Payload)})
				}
				got, err := s.ByCorrelationID(t.Context(), id)
				if _, slow := errors.AsType[*store.Unavailable](err); slow { // a server beside other tests may be: ask again
					got, err = s.ByCorrelationID(t.Context(), id)
				}
				require.NoError(t, err)
				for i := range got {
					require.WithinRange(t, got[i].CreatedAt, before, after)
					got[i].CreatedAt = time.Time{}
				}
				require.Equal(t, want, got, id)
			}
			require.Equal(t, [][]string{
				{"-9223372036854775808", "integer", "null", "text"}, {"9223372036854775807", "integer", "real", "null"}, {"-1", "integer", "real", "text"}, {"1", "integer", "null", "null"},
			}, query("SELECT digest, typeof(digest), typeof(duration_ms), typeof(attributes) FROM profiling_data ORDER BY correlation_id DESC, digest"))
		},
		"duplicates": func(t *testing.T, s store.Store, query func(string) [][]string) {
			same := append(Records(0, 3), Record(1))
			result, err := s.Insert(t.Context(), same)
			require.NoError(t, err)
			require.Equal(t, store.Result{Accepted: 3, Duplicates: 1}, result)
			other, elsewhere := Record(1), Record(1)
			other.Digest++
			elsewhere.CorrelationID = Record(100).CorrelationID
			result, err = s.Insert(t.Context(), append(same, other, elsewhere))
			require.NoError(t, err)
			require.Equal(t, store.Result{Accepted: 2, Duplicates: 4}, result)
			require.Equal(t, "5", count(query))
		},
		"duplicates at once": func(t *testing.T, s store.Store, query func(string) [][]string) {
			_, err := s.Insert(t.Context(), Records(1000, 1001)) // the schema is there
			require.NoError(t, err)
			var all sync.WaitGroup
			var mu sync.Mutex
			var sum store.Result
			for range 8 {
				all.Go(func() {
					result, err := s.Insert(t.Context(), Records(0, 20))
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						t.Errorf("insert: %v", err)
					}
					sum.Accepted += result.Accepted
					sum.Duplicates += result.Duplicates
				})
			}
			all.Wait()
			require.Equal(t, 8*20, sum.Accepted+sum.Duplicates)
			require.Equal(t, "21", count(query))
		},
		"largest record and full batch": func(t *testing.T, s store.Store, query func(string) [][]string) {
			largest := Record(1)
			largest.Payload = []byte(`{"a":"` + strings.Repeat("x", record.MaxBytes-300) + `"}`)
			many := Records(2, 5001)
			result, err := s.Insert(t.Context(), append(many, largest))
			require.NoError(t, err)
			require.Equal(t, store.Result{Accepted: 5000}, result)
			require.Equal(t, "5000", count(query))
			result, err = s.Insert(t.Context(), append(many, Record(2)))
			require.NoError(t, err)
			require.Equal(t, store.Result{Duplicates: 5000}, result)
		},
		"readiness": func(t *testing.T, s store.Store, query func(string) [][]string) {
			require.NoError(t, s.Admit())
			require.NoError(t, s.Ready(t.Context()))
			result, err := s.Insert(t.Context(), nil)
			require.NoError(t, err)
			require.Equal(t, store.Result{}, result)
			require.NoError(t, s.Ready(t.Context()))
			require.Equal(t, "0", count(query), "it makes no record")
		},
		"purge": func(t *testing.T, s store.Store, query func(string) [][]string) {
			report, err := s.Purge(t.Context(), time.Now())
			require.NoError(t, err)
			require.Equal(t, []any{0, false, true}, []any{report.Rows, report.Unfinished, report.Oldest.IsZero()}, "an empty store")
			cut := time.Now().Add(-24 * time.Hour).Truncate(time.Microsecond)
			all := Records(0, 5000)
			for n := range all { // of both sources some are younger
				all[n].Timestamp = cut.UnixMicro() + int64(n)
				if n%10 != 0 && n%10 != 5 {
					all[n].Timestamp = cut.UnixMicro() - int64(n) - 1
				}
			}
			_, err = s.Insert(t.Context(), all)
			require.NoError(t, err)
			report, err = s.Purge(t.Context(), cut)
			require.NoError(t, err)
			require.Equal(t, []any{4000, false}, []any{report.Rows, report.Unfinished})
			require.True(t, report.Oldest.Equal(cut), "%s is not %s", report.Oldest, cut)
			require.Equal(t, [][]string{{"1000", fmt.Sprint(cut.UnixMicro())}}, query("SELECT count(*), min(timestamp) FROM profiling_data"))
			result, err := s.Insert(t.Context(), all[:10])
			require.NoError(t, err)
			require.Equal(t, store.Result{Accepted: 8, Duplicates: 2}, result, "what was purged is new")
		},
		"refusals": func(t *testing.T, s store.Store, query func(string) [][]string) {
			ledger := s.(refusals.Store)
			found, err := ledger.Refusals(t.Context(), "shop", time.Unix(0, 0), 10)
			require.NoError(t, err)
			require.Empty(t, found)
			hour := time.Now().UTC().Truncate(time.Hour)
			one := func(ago int, project, reason, message string, count int64) refusals.Refusal {
				h := hour.Add(-time.Duration(ago) * time.Hour)
				return refusals.Refusal{Hour: h, Project: project, Route: "/ingest/php", Reason: reason, Count: count, LastAt: h.Add(time.Minute), Message: message}
			}
			require.NoError(t, ledger.AddRefusals(t.Context(), []refusals.Refusal{
				one(0, "shop", "malformed", "first", 2), one(0, "", "unauthorized", "unknown", 9), one(0, "blog", "malformed", "other", 1), one(30, "shop", "malformed", "early", 5)}))
			again := one(0, "shop", "malformed", "it's \"quoted\" \u2028 'é'", 3)
			require.NoError(t, ledger.AddRefusals(t.Context(), []refusals.Refusal{again}))
			again.Count = 5
			found, err = ledger.Refusals(t.Context(), "shop", hour.Add(-time.Hour), 10)
			require.NoError(t, err)
			require.Equal(t, []refusals.Refusal{again, one(0, "", "unauthorized", "unknown", 9)}, found, "counts add up, the last message stays, and other projects' are not told")
			found, err = ledger.Refusals(t.Context(), "shop", hour.Add(-48*time.Hour), 1)
			require.NoError(t, err)
			require.Len(t, found, 2, "the latest of each")
			_, err = s.Insert(t.Context(), Records(0, 1)) // or a purge finds nothing to do
			require.NoError(t, err)
			_, err = s.Purge(t.Context(), hour.Add(-24*time.Hour))
			require.NoError(t, err)
			require.Equal(t, [][]string{{"3"}}, query("SELECT count(*) FROM profiling_data_refused"), "they go with the records of their time")
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, query := open(t)
			test(t, s, query)
		})
	}
}
