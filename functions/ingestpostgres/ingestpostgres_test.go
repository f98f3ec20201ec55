package ingestpostgres_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/functions/ingestpostgres"
	"github.com/bitville/listener/shared/intake"
	"github.com/bitville/listener/shared/intake/intaketest"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

// sent is a record as it stands in a payload file, its values byte for byte.
type sent map[string]json.RawMessage

func (s sent) text(t *testing.T, field string) (text string) {
	t.Helper()
	require.NoError(t, json.Unmarshal(s[field], &text))
	return text
}

// attributes are what stands beside the contract's fields.
func (s sent) attributes() map[string]string {
	all := make(map[string]string)
	for name, value := range s {
		switch name {
		case "project", "correlation_id", "timestamp", "duration_ms", "query", "profiling_data":
		default:
			all[name] = string(value)
		}
	}
	return all
}

// TestRealPlans holds what is stored against what was sent, byte for byte: plans with their line ends, and
// 64-bit numbers that a float would change.
func TestRealPlans(t *testing.T) {
	for _, file := range []string{"postgres-auto-explain.json", "postgres-pg-stat-statements.json"} {
		t.Run(file, func(t *testing.T) {
			body := intaketest.Payload(t, file)
			var records []sent
			require.NoError(t, json.Unmarshal(body, &records))
			h, db, path := intaketest.New(t, ingestpostgres.New)
			for _, answer := range []string{`{"accepted":%d,"duplicates":0,"rejected":[]}`, `{"accepted":0,"duplicates":%d,"rejected":[]}`} {
				w := intaketest.Post(h, ingestpostgres.Path, body, "Content-Type", "application/json")
				require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
				require.Equal(t, fmt.Sprintf(answer, len(records)), w.Body.String())
			}
			require.Equal(t, [][]string{{"shop", "postgres_agent", strconv.Itoa(len(records))}},
				sqlitetest.Query(t, path, "SELECT project, source, count(*) FROM profiling_data GROUP BY project, source"))
			for _, r := range records {
				entries, err := db.ByCorrelationID(t.Context(), r.text(t, "correlation_id"))
				require.NoError(t, err)
				i := slices.IndexFunc(entries, func(e store.Entry) bool { return e.Payload == string(r["profiling_data"]) })
				require.GreaterOrEqual(t, i, 0, "profiling_data is kept byte for byte: %s", r["query"])
				e := entries[i]
				require.Equal(t, r.text(t, "query"), e.Name)
				require.Equal(t, "postgres_agent", e.Source)
				var stored sent
				require.NoError(t, json.Unmarshal([]byte(e.Attributes), &stored))
				require.Equal(t, r.attributes(), stored.attributes())
			}
		})
	}
}

func TestOneRealPlan(t *testing.T) {
	h, db, _ := intaketest.New(t, ingestpostgres.New)
	require.Equal(t, http.StatusOK, intaketest.Post(h, ingestpostgres.Path, intaketest.Payload(t, "postgres-auto-explain.json")).Code)
	entries, err := db.ByCorrelationID(t.Context(), "d9f75db6-ee27-4454-af55-e0a5609b5797")
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, store.Entry{
		CorrelationID: "d9f75db6-ee27-4454-af55-e0a5609b5797",
		Project:       "shop",
		Source:        "postgres_agent",
		Timestamp:     time.UnixMicro(1795381107_844759),
		DurationMS:    new(0.241),
		Name:          "SELECT o2.product_id, count(*) FROM order_lines o1 JOIN order_lines o2 ON o2.order_id = o1.order_id WHERE o1.product_id = 42 GROUP BY 1 ORDER BY 2 DESC LIMIT 6",
		Attributes:    `{"database":"shop","query_id":-1827459224716984620,"session_id":"6b035773.3d4c","log_line":1}`,
		Payload:       entries[0].Payload,
		CreatedAt:     entries[0].CreatedAt,
	}, entries[0])
}

// TestRedact sends the same plans where no literal is to be stored.
func TestRedact(t *testing.T) {
	intaketest.OnBoth(t, func(t *testing.T, db store.Store) {
		h := intaketest.Over(db, ingestpostgres.New, func(cfg *intake.Config) { cfg.Redact = true })
		for _, answer := range []string{`{"accepted":12,"duplicates":0,"rejected":[]}`, `{"accepted":0,"duplicates":12,"rejected":[]}`} {
			require.Equal(t, answer, intaketest.Post(h, ingestpostgres.Path, intaketest.Payload(t, "postgres-auto-explain.json")).Body.String())
		}
		entries, err := db.ByCorrelationID(t.Context(), "d9f75db6-ee27-4454-af55-e0a5609b5797")
		require.NoError(t, err)
		require.Len(t, entries, 1)
		require.Equal(t, "SELECT o2.product_id, count(*) FROM order_lines o1 JOIN order_lines o2 ON o2.order_id = o1.order_id WHERE o1.product_id = ? GROUP BY ? ORDER BY ? DESC LIMIT ?", entries[0].Name)
		require.NotContains(t, entries[0].Payload, "product_id = 42")
		require.Contains(t, entries[0].Payload, "product_id = ?")
	})
}

// TestPHPRecordsAreRefused sends what is meant for the other function.
func TestPHPRecordsAreRefused(t *testing.T) {
	h, _, path := intaketest.New(t, ingestpostgres.New)
	w := intaketest.Post(h, ingestpostgres.Path, intaketest.Payload(t, "php-xhprof.json"))
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Equal(t, `{"details":[{"path":"query","message":"is required; it has request_uri: send it to /ingest/php"}],"error":"Validation failed"}`, w.Body.String())
	require.Equal(t, [][]string{{"0"}}, sqlitetest.Query(t, path, "SELECT count(*) FROM profiling_data"))
}

// TestOwnRecordsOfAMixedBatch sends the records of six requests and of the statements that they ran.
func TestOwnRecordsOfAMixedBatch(t *testing.T) {
	h, _, path := intaketest.New(t, ingestpostgres.New)
	body := intaketest.Payload(t, "batch.ndjson")
	w := intaketest.Post(h, ingestpostgres.Path, body, "Content-Type", "application/x-ndjson")
	require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
	var answer struct {
		Accepted int
		Rejected []struct{ Index int }
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
	require.Equal(t, 34, answer.Accepted)
	require.Len(t, answer.Rejected, 6)
	lines := strings.Split(string(body), "\n")
	for _, r := range answer.Rejected {
		require.Contains(t, lines[r.Index], `"request_uri":`)
	}
	require.Equal(t, [][]string{{"postgres_agent", "34"}}, sqlitetest.Query(t, path, "SELECT source, count(*) FROM profiling_data GROUP BY source"))
}

func TestRoutes(t *testing.T) {
	require.Equal(t, "/ingest/postgres", ingestpostgres.Path)
	h, _, _ := intaketest.New(t, ingestpostgres.New)
	for path, status := range map[string]int{"/ingest/postgres": 200, "/": 404, "/ingest/php": 404, "/ingest": 404} {
		require.Equal(t, status, intaketest.Post(h, path, []byte("[]")).Code, path)
	}
}
