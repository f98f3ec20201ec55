package bitville

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
)

// seed adds short texts: with the real payloads, which TestPayloads reads, a fuzz test makes a few runs a second.
func seed(f *testing.F) {
	for _, body := range []string{
		"", "[]", "[1,{}]", "[1,]", `{"a":[{"b":[]},-1.5e-3,true,false,null,"\u00e9\ud800"]}`, with("", ""), `{"a":1,}`, `{"a":01}`, "\"\x7f\"",
		`[{"Shop\\Tree::html@2==>array_map":{"ct":1,"wt":-9}},{"Plan":{"Node Type":"Limit","I/O Read Time":0.000}}]`,
	} {
		f.Add([]byte(body))
	}
}

// TestPayloads: profiles and plans of real agents come through byte for byte, as an independent JSON
// implementation cuts them.
func TestPayloads(t *testing.T) {
	files, err := filepath.Glob("../../../testdata/payloads/*json")
	require.NoError(t, err)
	require.Len(t, files, 6)
	for _, name := range files {
		body, err := os.ReadFile(name)
		require.NoError(t, err)
		format := JSON
		var want []map[string]json.RawMessage
		switch {
		case strings.HasSuffix(name, ".ndjson"):
			format = NDJSON
			body = bytes.TrimSpace(body)
			err = json.Unmarshal(bytes.Join([][]byte{[]byte("["), bytes.ReplaceAll(body, []byte("\n"), []byte(",")), []byte("]")}, nil), &want)
		case body[0] == '[':
			err = json.Unmarshal(body, &want)
		default:
			err = json.Unmarshal(bytes.Join([][]byte{[]byte("["), body, []byte("]")}, nil), &want)
		}
		require.NoError(t, err, name)
		for _, source := range []record.Source{php, postgres} {
			d := decoder(source)
			d.Now = time.Unix(1795381106, 0)
			batch, err := d.Decode(body, format)
			require.NoError(t, err, name)
			require.Len(t, want, len(batch.Records)+len(batch.Rejected), name)
			next := 0
			for _, w := range want {
				if w[source.NameField] == nil {
					continue
				}
				require.Equal(t, string(w["profiling_data"]), string(batch.Records[next].Payload), name)
				var extra map[string]json.RawMessage
				require.NoError(t, json.Unmarshal(batch.Records[next].Attributes, &extra), name)
				require.Len(t, extra, len(w)-contractFields, name)
				for field, value := range extra {
					require.Equal(t, string(w[field]), string(value), name)
				}
				next++
			}
			require.Len(t, batch.Records, next, name)
		}
	}
}

// FuzzScan: a text is a JSON value to the scanner exactly when encoding/json and UTF-8 agree; the scanner
// stops where the value ends; an array has as many records, good and bad, as encoding/json finds elements; and an error's
// offset is inside the text or at its end, with nothing before it that alone would be an error.
func FuzzScan(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		batch, err := decoder(php).Decode(text, JSON)
		if bytes.Count(text, []byte("[")) < 5000 && bytes.Count(text, []byte("{")) < 5000 && len(batch.Records)+len(batch.Rejected) < record.MaxRecords {
			// Below encoding/json's own limit on depth.
			require.Equal(t, json.Valid(bytes.TrimPrefix(text, []byte("\ufeff"))) && utf8.Valid(text), err == nil || !isSyntax(err))
		}
		var elements []json.RawMessage
		if err == nil && !batch.Single && json.Unmarshal(bytes.TrimPrefix(text, []byte("\ufeff")), &elements) == nil {
			require.Len(t, elements, len(batch.Records)+len(batch.Rejected))
		}
		if syntax, ok := err.(*SyntaxError); ok {
			require.GreaterOrEqual(t, syntax.Offset, 0)
			require.LessOrEqual(t, syntax.Offset, len(text))
			require.NotEmpty(t, syntax.Message)
			_, again := decoder(php).Decode(text[:syntax.Offset], JSON)
			if s, ok := again.(*SyntaxError); ok {
				require.Equal(t, syntax.Offset, s.Offset, "a shorter text fails earlier")
			}
		}
	})
}

func isSyntax(err error) bool {
	_, ok := err.(*SyntaxError)
	return ok
}

// FuzzRecord: what is accepted is what encoding/json reads. The payload is the text's own bytes, and PHP's empty array an
// empty object; the name is the same string, the numbers are the same; and the attributes are the fields that are left, as
// they stand in the text. In the midst of a batch or of lines the record is the same as alone.
func FuzzRecord(f *testing.F) {
	f.Add(`"d37cc455-87f5-457f-b02d-86776b296414"`, "1763843023.5", "17.8", `"\/caf\u00e9"`, `{"a":[1,2.50,"x"]}`, `"k\u0041":{"b":-9007199254740993}`)
	f.Add(`"D37CC45587F5457FB02D86776B296414"`, "1763843023", "null", `"\ud83d\ude00"`, `[]`, `"k":1`)
	f.Fuzz(func(t *testing.T, id, timestamp, duration, uri, payload, extra string) {
		text := object("project", `"shop"`, "correlation_id", id, "timestamp", timestamp, "duration_ms", duration, "request_uri", uri, "profiling_data", payload)
		if extra != "" {
			text = text[:len(text)-1] + "," + extra + "}"
		}
		batch, err := decoder(php).Decode([]byte(text), JSON)
		if err != nil || len(batch.Records) == 0 {
			return
		}
		rec := batch.Records[0]
		requireMeans(t, text, rec)

		good := with("", "")
		batch, err = decoder(php).Decode([]byte("["+good+","+text+","+good+"]"), JSON)
		require.NoError(t, err)
		require.Len(t, batch.Records, 3)
		require.Equal(t, rec, batch.Records[1])
		batch, err = decoder(php).Decode([]byte(good+"\n"+strings.ReplaceAll(text, "\n", " ")+"\n"+good), NDJSON)
		require.NoError(t, err)
		require.Len(t, batch.Records, 3)
		if !strings.Contains(text, "\n") {
			require.Equal(t, rec, batch.Records[1])
		}
	})
}

// requireMeans holds a record against the text that it was read from, as encoding/json reads it.
func requireMeans(t *testing.T, text string, rec record.Record) {
	t.Helper()
	var want map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(text), &want))
	var name, id string
	var timestamp float64
	var duration *float64
	for field, into := range map[string]any{"request_uri": &name, "correlation_id": &id, "timestamp": &timestamp, "duration_ms": &duration} {
		require.NoError(t, json.Unmarshal(want[field], into), field)
	}
	require.Equal(t, name, rec.Name)
	require.Equal(t, strings.ToLower(strings.ReplaceAll(id, "-", "")), strings.ReplaceAll(rec.CorrelationID, "-", ""))
	require.Equal(t, duration, rec.DurationMS)
	require.InDelta(t, timestamp*1e6, rec.Timestamp, 1)
	if payload := want["profiling_data"]; payload[0] == '[' {
		require.Equal(t, "{}", string(rec.Payload))
	} else {
		require.Equal(t, string(payload), string(rec.Payload))
	}
	for _, field := range []string{"project", "correlation_id", "timestamp", "duration_ms", "request_uri", "profiling_data"} {
		delete(want, field)
	}
	attributes := make(map[string]json.RawMessage)
	if rec.Attributes != nil {
		require.NoError(t, json.Unmarshal(rec.Attributes, &attributes))
	}
	require.Equal(t, want, attributes)
}

// FuzzLines: cutting into lines loses and invents nothing: each line that is not blank is one record or one
// rejection, and good lines are accepted whatever stands beside them.
func FuzzLines(f *testing.F) {
	seed(f)
	f.Add([]byte("{}\r\n\n[1]\n{\n\ufeff"))
	f.Fuzz(func(t *testing.T, text []byte) {
		body := append([]byte(with("", "")+"\n"), text...)
		body = append(body, "\n"+with("", "")...)
		lines := 0
		for line := range bytes.SplitSeq(body, []byte("\n")) {
			if len(bytes.Trim(bytes.TrimPrefix(line, []byte("\ufeff")), " \t\r")) > 0 {
				lines++
			}
		}
		batch, err := decoder(php).Decode(body, NDJSON)
		if err == ErrTooManyRecords {
			require.Greater(t, lines, record.MaxRecords)
			return
		}
		if err != nil {
			require.ErrorAs(t, err, new(*ProjectError))
		}
		require.Equal(t, lines, len(batch.Records)+len(batch.Rejected))
		require.GreaterOrEqual(t, len(batch.Records), 2)
	})
}
