package look

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/store"
)

// large is a request of 500 statements with real plans, and a real profile of 164 KB.
func large(b *testing.B) []store.Entry {
	r, err := gzip.NewReader(bytes.NewReader(payload(b, "php-xhprof-large.json.gz")))
	require.NoError(b, err)
	raw, err := io.ReadAll(r)
	require.NoError(b, err)
	entries := []store.Entry{decode(b, raw)}
	var explained []json.RawMessage
	require.NoError(b, json.Unmarshal(payload(b, "postgres-auto-explain.json"), &explained))
	for i := range 500 {
		e := decode(b, explained[i%len(explained)])
		e.Timestamp = entries[0].Timestamp.Add(time.Duration(i) * time.Millisecond)
		entries = append(entries, e)
	}
	return entries
}

// BenchmarkLook is all that a look computes; the goal for the page is 100 ms with reading and drawing.
func BenchmarkLook(b *testing.B) {
	entries := large(b)
	b.ReportAllocs()
	for b.Loop() {
		New(entries, later(entries), Options{})
	}
}

// BenchmarkSummarize is what one request of 500 statements costs a list.
func BenchmarkSummarize(b *testing.B) {
	entries := large(b)
	b.ReportAllocs()
	for b.Loop() {
		Summarize(entries, later(entries))
	}
}
