package bitville

import (
	"compress/gzip"
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkDecode decodes and checks real bodies: its bytes a second are the whole cost of a body but for
// its decompression.
func BenchmarkDecode(b *testing.B) {
	read := func(name string) []byte {
		f, err := os.Open("../../../testdata/payloads/" + name)
		require.NoError(b, err)
		defer f.Close()
		var r io.Reader = f
		if name == "php-xhprof-large.json.gz" {
			r, err = gzip.NewReader(f)
			require.NoError(b, err)
		}
		body, err := io.ReadAll(r)
		require.NoError(b, err)
		return body
	}
	d := decoder(php)
	d.Now = time.Unix(1795381106, 0)
	for _, c := range []struct {
		name   string
		body   []byte
		format string
	}{
		{"10KB-profile", read("php-xhprof.json"), JSON},
		{"160KB-profile", read("php-xhprof-large.json.gz"), JSON},
		{"one-40KB-string", read("php-excimer-collapsed.json"), JSON},
		{"40-lines", read("batch.ndjson"), NDJSON},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(len(c.body)))
			b.ReportAllocs()
			for b.Loop() {
				batch, err := d.Decode(c.body, c.format)
				if err != nil || len(batch.Records) == 0 {
					b.Fatal(err, batch.Rejected)
				}
			}
		})
	}
}
