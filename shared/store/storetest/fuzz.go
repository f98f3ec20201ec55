package storetest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/wire/bitville"
)

// Fuzz is a fuzz test of a store: a record that is accepted is read back as encoding/json reads what was sent, the payload
// and every other field to the byte; and sent again it is known.
func Fuzz(f *testing.F, s store.Store) {
	for _, payload := range []string{`{"main()":{"wt":-1.50e3}}`, `[ ]`, `{"Shop\\Tree::a@2==>b":[9007199254740993,"\ud800\u0000é😀'\"\/", null]}`} {
		f.Add(`"\/caf\u00e9'\n"`, payload, "", uint8(0))
		f.Add(`"/"`, payload, `"k\u0041":{"b":-9007199254740993}, "" : "\udfff"`, uint8(100))
	}
	now, n := time.Now(), 0
	wire := bitville.Wire{Source: record.Source{ID: "php_agent", NameField: "request_uri", MaxNameBytes: 8192}}
	rules := record.Rules{Project: "shop", Now: now, Retention: time.Hour}
	// A payload that stands there so many times is long enough to be compressed.
	f.Fuzz(func(t *testing.T, name, payload, extra string, times uint8) {
		if times > 0 {
			payload = `{"":[` + strings.Repeat(payload+",", int(times)) + "0]}"
		}
		n++
		body := fmt.Sprintf(`{"project":"shop","correlation_id":"00000000-0000-4000-8000-%012x","timestamp":%d,"duration_ms":1,"request_uri":%s,"profiling_data":%s`,
			n, now.Unix(), name, payload)
		if extra != "" {
			body += "," + extra
		}
		batch, err := wire.Decode([]byte(body+"}"), bitville.JSON, rules)
		if err != nil || len(batch.Records) != 1 {
			return
		}
		var want map[string]json.RawMessage
		require.NoError(t, json.Unmarshal([]byte(body+"}"), &want))
		result, err := s.Insert(t.Context(), batch.Records)
		require.NoError(t, err)
		require.Equal(t, store.Result{Accepted: 1}, result)
		entries, err := s.ByCorrelationID(t.Context(), batch.Records[0].CorrelationID)
		require.NoError(t, err)
		require.Len(t, entries, 1)
		var sentName string
		require.NoError(t, json.Unmarshal(want["request_uri"], &sentName))
		require.Equal(t, sentName, entries[0].Name)
		if sent := string(want["profiling_data"]); sent[0] == '{' {
			require.Equal(t, sent, entries[0].Payload)
		} else {
			require.Equal(t, "{}", entries[0].Payload)
		}
		for _, field := range []string{"project", "correlation_id", "timestamp", "duration_ms", "request_uri", "profiling_data"} {
			delete(want, field)
		}
		attributes := make(map[string]json.RawMessage)
		if entries[0].Attributes != "" {
			require.NoError(t, json.Unmarshal([]byte(entries[0].Attributes), &attributes))
		}
		require.Equal(t, want, attributes)
		result, err = s.Insert(t.Context(), batch.Records)
		require.NoError(t, err)
		require.Equal(t, store.Result{Duplicates: 1}, result)
	})
}
