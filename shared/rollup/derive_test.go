package rollup

import (
	"bufio"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/route"
	"github.com/bitville/listener/shared/statement"
	"github.com/bitville/listener/shared/wire/bitville"
)

func TestDerive(t *testing.T) {
	ms := func(ms float64) *float64 { return &ms }
	const insert = "INSERT INTO t VALUES (1)"
	longText := strings.Repeat("é", 3000) // 6,000 bytes
	for _, c := range []struct {
		name                         string
		source, recordName, attribut string
		ms                           *float64
		key, text                    string
		micros                       int64
	}{
		{"a path", php, "/product/42?ref=x", "", ms(17.880916), route.Key("/product/*"), "/product/*", 17881},
		{"a route", php, "/product/42", `{"method":"GET","route":"shop.product"}`, ms(0), route.Key("shop.product"), "shop.product", 0},
		{"a route with escapes", php, "/p", `{"\u0072oute":"caf\u00e9"}`, nil, route.Key("café"), "café", -1},
		{"the last of two routes", php, "/p", `{"route":"a","route":"b"}`, nil, route.Key("b"), "b", -1},
		{"a route that is no text", php, "/p", `{"route":["a"]}`, nil, route.Key("/p"), "/p", -1},
		{"an empty route", php, "/p", `{"route":""}`, nil, route.Key("/p"), "/p", -1},
		{"a route inside of another field", php, "/p", `{"x":{"route":"a"}}`, nil, route.Key("/p"), "/p", -1},
		{"a command with a kind", php, "cli.php import", `{"kind":"cron"}`, nil, route.Key("cli.php import"), "cli.php import", -1},
		{"a text", postgres, insert, "", ms(0.0005), statement.Key("", false, insert), insert, 1},
		{"a query id", postgres, insert, `{"query_id":-4018182821935948930}`, ms(0.0004), "q-4018182821935948930", insert, 0},
		{"a query id in quotes", postgres, insert, `{"query_id":"12"}`, nil, "q12", insert, -1},
		{"a query id that is none", postgres, insert, `{"query_id":null}`, nil, statement.Key("", false, insert), insert, -1},
		{"a nested statement", postgres, insert, `{"query_id":12,"nested":true}`, nil, statement.Key("", false, insert), insert, -1},
		{"not nested", postgres, insert, `{"nested":false,"query_id":12}`, nil, "q12", insert, -1},
		{"a snapshot", postgres, insert, `{"kind":"pg_stat_statements","query_id":12}`, ms(1), "", "", 1000},
		{"another kind", postgres, insert, `{"kind":"slow","query_id":12}`, ms(1), "q12", insert, 1000},
		{"a long text", postgres, longText, `{"query_id":12}`, ms(1e300), "q12", longText[:4096], maxMicros},
		{"an odd long text", postgres, "x" + longText, `{"query_id":12}`, ms(1), "q12", "x" + longText[:4094], 1000},
		{"another source", "redis", "GET x", "", ms(1), "", "", 1000},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Derive(&record.Record{
				Project: "shop", Source: c.source, Name: c.recordName, Attributes: []byte(c.attribut), DurationMS: c.ms,
				Timestamp: 1_795_381_105_959_753,
			})
			require.Equal(t, Point{Series{"shop", c.source}, c.key, c.text, 1_795_381_105, c.micros}, got)
		})
	}
}

func TestSpans(t *testing.T) {
	at := time.Date(2026, 11, 23, 1, 2, 3, 0, time.UTC)
	for span, want := range map[Span]string{Minute: "01:02:00", Hour: "01:00:00", Day: "00:00:00"} {
		require.Equal(t, "2026-11-23 "+want, time.Unix(span.Start(at.Unix()), 0).UTC().Format(time.DateTime))
	}
}

// TestPayloads sums up the records that real agents sent.
func TestPayloads(t *testing.T) {
	f, err := os.Open("../../testdata/payloads/batch.ndjson")
	require.NoError(t, err)
	defer f.Close()
	tb, d := newTable(), &Deltas{}
	d.Start(0)
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, record.MaxBytes)
	for id := int64(1); lines.Scan(); id++ {
		source := record.Source{ID: php, NameField: "request_uri", MaxNameBytes: 8192}
		if strings.Contains(lines.Text(), `"query":`) {
			source = record.Source{ID: postgres, NameField: "query", MaxNameBytes: 64 << 10}
		}
		batch, err := bitville.Wire{Source: source}.Decode(lines.Bytes(), "application/json",
			record.Rules{Project: "shop", Retention: time.Hour, Now: time.Unix(1795381106, 0)}, nil)
		require.NoError(t, err)
		require.Len(t, batch.Records, 1)
		p := Derive(&batch.Records[0])
		d.Add(&p, id)
	}
	require.NoError(t, lines.Err())
	tb.flush(t, d)
	of := func(source, key string) Cell {
		return decode(t, tb.Cells[Series{"shop", source}][spot{Hour, 1795381105 / 3600 * 3600, key}])
	}
	products := of(php, route.Key("/product/*"))
	require.EqualValues(t, 2, products.Count)
	require.Equal(t, []Exemplar{{14958, 4}, {7988, 15}}, products.Slowest())
	repeated := of(postgres, "q-4809347790509537418")
	require.EqualValues(t, 14, repeated.Count)
	require.EqualValues(t, 90+140, repeated.Sum) // in the one request and in the other
	require.Equal(t, "/product/*", tb.Names[Series{"shop", php}][route.Key("/product/*")].Text)
	require.Len(t, tb.Names[Series{"shop", php}], 4)
}
