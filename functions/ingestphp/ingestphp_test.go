package ingestphp_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/functions/ingestphp"
	"github.com/bitville/listener/shared/intake/intaketest"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

// TestRealProfiles holds what is stored against what was sent, byte for byte.
func TestRealProfiles(t *testing.T) {
	for _, c := range []struct {
		file, encoding string
		want           store.Entry // all but the payload
	}{
		{"php-xhprof.json", "", store.Entry{
			CorrelationID: "d37cc455-87f5-457f-b02d-86776b296414",
			Timestamp:     time.UnixMicro(1795381106_119696),
			DurationMS:    new(17.849206924438477),
			Name:          "/",
			Attributes:    `{"method":"GET","status":200,"queries":2,"db_ms":17.013535,"memory_peak":859520,"php":"8.2.36","profiler":"functions"}`,
		}},
		{"php-xhprof-large.json.gz", "gzip", store.Entry{
			CorrelationID: "7424c218-385f-4360-ab04-775f2d76d758",
			Timestamp:     time.UnixMicro(1795381107_223862),
			DurationMS:    new(116.52398109436035),
			Name:          "/product/42",
			Attributes:    `{"method":"GET","status":200,"route":"product","memory_peak":8832624,"php":"8.2.36","profiler":"xhprof"}`,
		}},
		{"php-excimer-speedscope.json", "", store.Entry{
			CorrelationID: "f28e7357-be83-4518-b7de-2d0c4b7ad818",
			Timestamp:     time.UnixMicro(1795381107_449664),
			DurationMS:    new(108.21294784545898),
			Name:          "/category/7?page=2",
			Attributes:    `{"method":"GET","status":200,"route":"category","memory_peak":16301752,"php":"8.2.36","profiler":"speedscope"}`,
		}},
		{"php-excimer-collapsed.json", "", store.Entry{
			CorrelationID: "782b41a4-1bcf-44d9-9e8f-8e4f81726282",
			Timestamp:     time.UnixMicro(1795381107_635259),
			DurationMS:    new(68.65501403808594),
			Name:          "/category/7?page=2",
			Attributes:    `{"method":"GET","status":200,"route":"category","memory_peak":16284424,"php":"8.2.36","profiler":"collapsed"}`,
		}},
	} {
		t.Run(c.file, func(t *testing.T) {
			body := intaketest.Payload(t, c.file)
			plain := body
			if c.encoding == "gzip" {
				z, err := gzip.NewReader(bytes.NewReader(body))
				require.NoError(t, err)
				plain, err = io.ReadAll(z)
				require.NoError(t, err)
			}
			var sent struct {
				Payload json.RawMessage `json:"profiling_data"` // which keeps the bytes
			}
			require.NoError(t, json.Unmarshal(plain, &sent))

			h, db, path := intaketest.New(t, ingestphp.New)
			for _, answer := range []string{`{"accepted":1,"duplicates":0,"rejected":[]}`, `{"accepted":0,"duplicates":1,"rejected":[]}`} {
				w := intaketest.Post(h, ingestphp.Path, body, "Content-Type", "application/json", "Content-Encoding", c.encoding)
				require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
				require.Equal(t, answer, w.Body.String())
			}
			require.Equal(t, [][]string{{"shop", "php_agent", c.want.Name}}, sqlitetest.Query(t, path, "SELECT project, source, name FROM profiling_data"))

			entries, err := db.ByCorrelationID(t.Context(), c.want.CorrelationID)
			require.NoError(t, err)
			require.Len(t, entries, 1)
			require.True(t, string(sent.Payload) == entries[0].Payload, "profiling_data is kept byte for byte")
			want := c.want
			want.Project, want.Source, want.Payload, want.CreatedAt = "shop", "php_agent", entries[0].Payload, entries[0].CreatedAt
			require.Equal(t, want, entries[0])
		})
	}
}

// TestPostgresRecordsAreRefused sends what is meant for the other function.
func TestPostgresRecordsAreRefused(t *testing.T) {
	h, _, path := intaketest.New(t, ingestphp.New)
	w := intaketest.Post(h, ingestphp.Path, intaketest.Payload(t, "postgres-auto-explain.json"))
	require.Equal(t, http.StatusBadRequest, w.Code)
	answer := rejections(t, w)
	require.Equal(t, "Validation failed", answer.Error)
	require.Len(t, answer.Rejected, 12)
	for i, r := range answer.Rejected {
		require.Equal(t, i, r.Index)
		require.Equal(t, []detail{{"request_uri", "is required; it has query: send it to /ingest/postgres"}}, r.Details)
	}
	require.Equal(t, [][]string{{"0"}}, sqlitetest.Query(t, path, "SELECT count(*) FROM profiling_data"))
}

// TestOwnRecordsOfAMixedBatch sends the records of six requests and of the statements that they ran.
func TestOwnRecordsOfAMixedBatch(t *testing.T) {
	h, _, path := intaketest.New(t, ingestphp.New)
	w := intaketest.Post(h, ingestphp.Path, intaketest.Payload(t, "batch.ndjson"), "Content-Type", "application/x-ndjson")
	require.Equal(t, http.StatusOK, w.Code, "%s", w.Body)
	answer := rejections(t, w)
	require.Equal(t, 6, answer.Accepted)
	require.Len(t, answer.Rejected, 34)
	lines := strings.Split(string(intaketest.Payload(t, "batch.ndjson")), "\n")
	for _, r := range answer.Rejected {
		require.NotContains(t, lines[r.Index], `"request_uri":`)
	}
	require.Equal(t, [][]string{{"php_agent", "6"}}, sqlitetest.Query(t, path, "SELECT source, count(*) FROM profiling_data GROUP BY source"))
}

type detail struct{ Path, Message string }

type answer struct {
	Error    string
	Accepted int
	Rejected []struct {
		Index   int
		Details []detail
	}
}

func rejections(t *testing.T, w *httptest.ResponseRecorder) (a answer) {
	t.Helper()
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &a))
	return a
}

func TestRoutes(t *testing.T) {
	require.Equal(t, "/ingest/php", ingestphp.Path)
	h, _, _ := intaketest.New(t, ingestphp.New)
	for path, status := range map[string]int{"/ingest/php": 200, "/": 404, "/ingest/postgres": 404, "/ingest": 404} {
		require.Equal(t, status, intaketest.Post(h, path, []byte("[]")).Code, path)
	}
}
