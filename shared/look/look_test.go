package look

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/store"
)

var update = flag.Bool("update", false, "write the goldens anew")

// decode makes an entry of a record as it was sent; it arrived a second later.
func decode(t testing.TB, raw []byte) store.Entry {
	fields := map[string]json.RawMessage{}
	require.NoError(t, json.Unmarshal(raw, &fields))
	e := store.Entry{Source: postgres, Payload: string(fields["profiling_data"])}
	into := func(name string, v any) {
		if fields[name] != nil {
			require.NoError(t, json.Unmarshal(fields[name], v), name)
		}
		delete(fields, name)
	}
	if fields["request_uri"] != nil {
		e.Source = php
	}
	var seconds float64
	into("project", &e.Project)
	into("correlation_id", &e.CorrelationID)
	into("timestamp", &seconds)
	into("duration_ms", &e.DurationMS)
	into("request_uri", &e.Name)
	into("query", &e.Name)
	delete(fields, "profiling_data")
	e.Timestamp = time.UnixMicro(int64(seconds*1e6 + 0.5))
	e.CreatedAt = e.Timestamp.Add(time.Second)
	rest, err := json.Marshal(fields)
	require.NoError(t, err)
	e.Attributes = string(rest)
	return e
}

// later is a time when nothing is awaited any more.
func later(entries []store.Entry) time.Time { return entries[0].CreatedAt.Add(time.Hour) }

func payload(t testing.TB, name string) []byte {
	raw, err := os.ReadFile("../../testdata/payloads/" + name)
	require.NoError(t, err)
	return raw
}

// batch returns the requests of the real batch by what was asked for, without the values.
func batch(t testing.TB) map[string][]store.Entry {
	byID, name := map[string][]store.Entry{}, map[string]string{}
	for _, raw := range bytes.Split(bytes.TrimSpace(payload(t, "batch.ndjson")), []byte("\n")) {
		e := decode(t, raw)
		byID[e.CorrelationID] = append(byID[e.CorrelationID], e)
		if e.Source == php {
			name[e.CorrelationID], _, _ = strings.Cut(e.Name, "?")
		}
	}
	requests := map[string][]store.Entry{}
	for id, entries := range byID {
		requests[name[id]] = entries
	}
	return requests
}

// TestBatch reproduces what was measured of the real requests: PHP's figures, Postgres' figures, the gap between them.
func TestBatch(t *testing.T) {
	requests := batch(t)
	require.Len(t, requests, 6)
	for _, c := range []struct {
		name                 string
		statements           int
		database, inPostgres float64
		gap                  float64 // of the time in the database, in per cent
		verdict              string
		repeated             string
	}{
		{"/", 2, 15.17, 8.98, 41, "Postgres took 8.98 of 17.9 ms: 8.95 ms of it in SELECT p.id, p.name, sum(l.quantity) AS sold, sum(l.quantity * p.price) AS reven…", ""},
		{"/product/42", 10, 8.55, 0.27, 97, "8.28 of 15.0 ms went between PHP and Postgres: 10 statements, 0.27 ms in Postgres", "7 times, 2.39 ms, of which 0.09 in Postgres"},
		{"/product/7", 10, 6.24, 0.47, 93, "5.78 of 7.99 ms went between PHP and Postgres: 10 statements, 0.47 ms in Postgres", ""},
		{"/category/3", 7, 4.71, 0.21, 96, "4.50 of 5.43 ms went between PHP and Postgres: 7 statements, 0.21 ms in Postgres", "5 times, 0.79 ms, of which 0.08 in Postgres"},
		{"/category/11", 5, 1.03, 0.15, 85, `PHP itself took 1.95 of 2.98 ms: 1.45 ms of it in Shop\Catalog\Connection::one`, ""},
		{"/admin/nope", 0, 0, 0, 0, "PHP itself took 0.05 of 0.05 ms", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := New(requests[c.name], later(requests[c.name]), Options{})
			require.Equal(t, c.statements, *l.Counts.Announced)
			require.Equal(t, c.statements, l.Counts.Arrived)
			require.InDelta(t, c.database, *l.Time.DatabaseMS, 0.005)
			require.InDelta(t, c.inPostgres, *l.Time.PostgresMS, 0.006)
			if c.statements > 0 {
				require.InDelta(t, c.gap, 100**l.Time.GapShare, 0.5)
			}
			require.Equal(t, "from the agent's db_ms", l.Time.Sources.Database)
			require.Empty(t, l.Missing)
			require.Equal(t, c.verdict, l.Verdict)
			repeated := ""
			for _, f := range l.Findings {
				require.NotEqual(t, "rows_off", f.Kind, "all three estimates that are off are false alarms")
				if f.Kind == "repeated" {
					repeated = f.Text
				}
			}
			require.Equal(t, c.repeated, repeated)
			share := 0.0
			for _, s := range l.Bar {
				share += s.Share
			}
			require.InDelta(t, 1, share, 1e-9)
		})
	}
}

// TestGoldens holds the whole JSON of real requests. Run with -update to write them anew.
func TestGoldens(t *testing.T) {
	requests := batch(t)
	cases := map[string][]store.Entry{
		"home":     requests["/"],
		"product":  requests["/product/42"],
		"samples":  requests["/product/7"],
		"category": requests["/category/3"],
		"nothing":  requests["/admin/nope"],
		"orphans":  requests["/product/42"][1:],
		"half":     {requests["/product/42"][0]},
		"plan":     {},
	}
	var explained []json.RawMessage
	require.NoError(t, json.Unmarshal(payload(t, "postgres-auto-explain.json"), &explained))
	for _, raw := range explained { // twelve requests' statements as if one request had run them
		cases["plan"] = append(cases["plan"], decode(t, raw))
	}
	for name, entries := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := json.MarshalIndent(New(entries, later(entries), Options{}), "", "  ")
			require.NoError(t, err)
			path := filepath.Join("testdata", name+".json")
			if *update {
				require.NoError(t, os.MkdirAll("testdata", 0o755))
				require.NoError(t, os.WriteFile(path, append(got, '\n'), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, string(want), string(got)+"\n")
		})
	}
}
