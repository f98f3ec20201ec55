package metrics_test

import (
	"testing"
	"time"

	"github.com/bitville/listener/localdev/metrics"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/sqlite"
	"github.com/bitville/listener/shared/web"
)

// BenchmarkRequest is what one request of one record costs: its own counters and those of its record, on all cores at once.
func BenchmarkRequest(b *testing.B) {
	m := metrics.New(config())
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Request(web.Observation{Path: "/ingest/php", Status: 200, Duration: 3 * time.Millisecond, Bytes: 2100})
			m.Records(store.Count{Source: "php_agent", Project: "shop", Stored: store.Result{Accepted: 1}})
		}
	})
}

func BenchmarkCommit(b *testing.B) {
	m := metrics.New(config())
	b.ReportAllocs()
	for b.Loop() {
		m.Commit(sqlite.Commit{Requests: 10, Records: 10, Took: time.Millisecond})
	}
}
