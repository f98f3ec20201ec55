package xhgui

import (
	"testing"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/wire/bitville"
	"github.com/bitville/listener/shared/wire/jsonvalue"
)

// BenchmarkDecode maps a framework's page of 1,400 edges, 204 KB, beside the same profile in our own format.
func BenchmarkDecode(b *testing.B) {
	sent := body(b, "joined-1-xhgui.json.gz")
	var own jsonvalue.Object
	own.Text("project", "shop")
	own.Text("correlation_id", "77a64a7e375691e6199ebcd213fe5232")
	own.Value("timestamp", jsonvalue.Value("1795828516.860948"))
	own.Value("duration_ms", jsonvalue.Value("55.477"))
	own.Text("request_uri", "/orders/42?page=17")
	own.Value("profiling_data", jsonvalue.Value(sent).Get("profile"))
	for name, c := range map[string]struct {
		body   []byte
		decode func([]byte, string, record.Rules, func(int64) error) (record.Batch, error)
	}{
		"php-profiler": {sent, Wire{}.Decode},
		"our own":      {own.JSON(), bitville.Wire{Source: record.PHP}.Decode},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(c.body)))
			b.ReportAllocs()
			for b.Loop() {
				batch, err := c.decode(c.body, "application/json", captured, nil)
				if err != nil || len(batch.Records) != 1 {
					b.Fatal(err, batch.Rejected)
				}
			}
		})
	}
}
