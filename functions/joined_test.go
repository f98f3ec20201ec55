package functions_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/functions/importotlp"
	"github.com/bitville/listener/functions/importxhgui"
	"github.com/bitville/listener/functions/ingestpostgres"
	"github.com/bitville/listener/shared/intake"
	"github.com/bitville/listener/shared/intake/intaketest"
	"github.com/bitville/listener/shared/statement"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/web"
)

// TestJoined sends what four clients saw of one page, unchanged but for the Postgres agent's work on the log: all of it is under the id
// that the web server gave the page, however often it comes.
func TestJoined(t *testing.T) {
	read := func(file string) []byte {
		data, err := os.ReadFile("../testdata/dialects/" + file)
		require.NoError(t, err)
		return data
	}
	intaketest.OnBoth(t, func(t *testing.T, db store.Store) {
		send := func(function func(intake.Config) web.Routes, path string, body []byte, headers ...string) {
			w := intaketest.Post(intaketest.Over(db, function, nil), path, body, headers...)
			require.Equal(t, 200, w.Code, w.Body)
			require.NotContains(t, w.Body.String(), "rejected\":[{")
		}
		for range 2 {
			send(importxhgui.New, importxhgui.Path, read("joined-1-xhgui.json.gz"), "Content-Encoding", "gzip")
			send(importotlp.New, importotlp.Path, read("joined-2-otlp-php.json"), "Content-Type", "application/json", "User-Agent", "OTel OTLP Exporter PHP/1.3.0")
			send(importotlp.New, importotlp.Path, read("joined-3-pg_tracing.json"), "Content-Type", "application/json")
			send(ingestpostgres.New, ingestpostgres.Path, logged(t, read("joined-4-postgres-jsonlog.jsonl")), "Content-Type", "application/x-ndjson")
		}
		entries, err := db.ByCorrelationID(t.Context(), "77a64a7e-3756-91e6-199e-bcd213fe5232")
		require.NoError(t, err)
		got := map[string]int{}
		for _, e := range entries {
			var a struct {
				Dialect    string
				ObservedBy string `json:"observed_by"`
				Nested     bool
			}
			require.NoError(t, json.Unmarshal([]byte(e.Attributes), &a))
			kind := strings.Join([]string{e.Source, a.Dialect, a.ObservedBy}, " ")
			if a.Nested {
				kind += " nested"
			}
			got[kind]++
		}
		require.Equal(t, map[string]int{
			"php_agent xhgui ": 1, "php_agent otlp ": 1, "postgres_agent otlp client": 3,
			"postgres_agent pg_tracing ": 2, "postgres_agent pg_tracing  nested": 5,
			"postgres_agent  ": 2, "postgres_agent   nested": 5,
		}, got)
		require.Len(t, entries, 19)
	})
}

// logged is what a Postgres agent makes of a log: statements inside a function stand before the one that called it, which has the
// id, and one that has no comment is of no page.
func logged(t *testing.T, log []byte) []byte {
	var out bytes.Buffer
	var waiting []map[string]any
	for line := range bytes.Lines(log) {
		var entry struct {
			Timestamp, Message, Context string
			SessionID                   string `json:"session_id"`
			LineNum                     int    `json:"line_num"`
		}
		require.NoError(t, json.Unmarshal(line, &entry))
		_, text, _ := strings.Cut(entry.Message, "plan:\n")
		var plan struct {
			Query string `json:"Query Text"`
		}
		require.NoError(t, json.Unmarshal([]byte(text), &plan))
		at, err := time.Parse("2006-01-02 15:04:05.999 MST", entry.Timestamp)
		require.NoError(t, err)
		id, query, ok := statement.ID(plan.Query)
		record := map[string]any{"project": "shop", "timestamp": float64(at.UnixMilli()) / 1000, "duration_ms": nil, "query": query,
			"session_id": entry.SessionID, "log_line": entry.LineNum, "profiling_data": json.RawMessage(text)}
		if entry.Context != "" {
			record["nested"] = true
		}
		if waiting = append(waiting, record); entry.Context != "" {
			continue
		}
		for _, r := range waiting {
			if ok {
				r["correlation_id"] = id
				require.NoError(t, json.NewEncoder(&out).Encode(r))
			}
		}
		waiting = nil
	}
	return out.Bytes()
}
