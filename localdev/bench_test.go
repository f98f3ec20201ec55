package main

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
)

// BenchmarkHTTPS is the built listener under 32 keep-alive connections that send one record of 2 KB a
// request. The generator runs in this process, on the same cores.
func BenchmarkHTTPS(b *testing.B) {
	l := startListener(b)
	transport := l.Client.Transport.(*http.Transport)
	transport.ForceAttemptHTTP2 = false
	transport.MaxIdleConnsPerHost = 32
	profile := `{"main()==>Cart::total":{"ct":1,"wt":9120},"filler":"` + strings.Repeat("x", 1800) + `"}`
	start, now := time.Now().UnixNano(), time.Now().Unix()
	var next atomic.Int64
	b.SetParallelism(16) // times GOMAXPROCS, which is 2 where the figures of the README come from
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			body := fmt.Sprintf(`{"project":"shop","correlation_id":"%016x-%016x","timestamp":%d,"duration_ms":1.5,"request_uri":"/cart","profiling_data":%s}`,
				start, next.Add(1), now, profile)
			body = strings.Replace(body, "-", "", 1)
			req, err := http.NewRequest("POST", l.URL+"/ingest/php", strings.NewReader(body))
			if err != nil {
				b.Error(err)
				return
			}
			req.Header.Set("Authorization", "Bearer "+listenertest.Key)
			resp, err := l.Client.Do(req)
			if err != nil {
				b.Error(err)
				return
			}
			answer, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode != 200 {
				b.Errorf("%d %s", resp.StatusCode, answer)
				return
			}
		}
	})
	b.StopTimer()
	require.Positive(b, b.N)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
}
