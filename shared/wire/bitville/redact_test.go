package bitville

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/statement"
)

// redacted decodes a body with the literals taken out.
func redacted(t *testing.T, body string, at time.Time) []record.Record {
	t.Helper()
	room := int64(0)
	w := Wire{Source: record.Postgres, Redact: true}
	batch, err := w.Decode([]byte(body), JSON, record.Rules{Project: "shop", Retention: 168 * time.Hour, Now: at}, func(n int64) error { room += n; return nil })
	require.NoError(t, err)
	require.Empty(t, batch.Rejected)
	require.EqualValues(t, len(body), room, "what is copied is in the budget")
	return batch.Records
}

func TestRedact(t *testing.T) {
	statementOf := func(query, payload, more string) string {
		text := with("request_uri", "")
		text = strings.Replace(text, `{"main()":{"wt":1}}`, payload, 1)
		return strings.TrimSuffix(text, "}") + `,"query":` + query + more + "}"
	}
	for _, c := range []struct{ name, query, payload, more, wantQuery, wantPayload, wantMore string }{
		{"a statement", `"SELECT * FROM users WHERE mail = 'secret' AND n = 42 /* secret */"`, "{}", "",
			"SELECT * FROM users WHERE mail = ? AND n = ?", "{}", ""},
		{"a plan", `"SELECT 1"`, `{"Plan":{"Node Type":"Seq Scan","Filter":"(mail = 'secret'::text)","Actual Rows":3.00},"Query Text":"SELECT 'secret'"}`, "",
			"SELECT ?", `{"Plan":{"Node Type":"Seq Scan","Filter":"(mail = ?::text)","Actual Rows":3.00},"Query Text":"SELECT ?"}`, ""},
		{"what the agent adds", `"SELECT $1"`, "{}", `,"session_id":"6929.1","parameters":"$1 = 'secret'","query_id":-4018182821935948930,"error":"Key (mail)=(\"secret\") is 'secret'"`,
			"SELECT ?", "{}", `{"session_id":"6929.1","query_id":-4018182821935948930,"error":"Key (mail)=(?) is ?"}`},
		{"a comment alone", `"/* secret */"`, "{}", "", "?", "{}", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			body := statementOf(c.query, c.payload, c.more)
			rec := redacted(t, body, clock)[0]
			require.Equal(t, c.wantQuery, rec.Name)
			require.Equal(t, c.wantPayload, string(rec.Payload))
			require.Equal(t, c.wantMore, string(rec.Attributes))
			again := rec
			again.Seal()
			require.Equal(t, again.Digest, rec.Digest, "the digest is of what is stored")
			require.Equal(t, rec, redacted(t, body, clock)[0], "the same bytes are the same record")
		})
	}

	full := errors.New("no room")
	_, err := Wire{Source: record.Postgres, Redact: true}.Decode([]byte("[]"), JSON, record.Rules{}, func(int64) error { return full })
	require.ErrorIs(t, err, full)
}

// Of real plans no literal is left that their statements have.
func TestRedactOfRealPlans(t *testing.T) {
	body, err := os.ReadFile("../../../testdata/payloads/postgres-auto-explain.json")
	require.NoError(t, err)
	records := redacted(t, string(body), time.Unix(1795381200, 0))
	require.Len(t, records, 12)
	literals := 0
	for _, rec := range records {
		require.Equal(t, statement.Mask(rec.Name), rec.Name)
		require.NotContains(t, string(rec.Payload), "'", "%s", rec.Payload)
		literals += strings.Count(string(rec.Payload), "?")
	}
	require.Greater(t, literals, 10)
}
