package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
)

const readKey = "read-key-0123456789"

// look asks for one page as a browser does, and returns the status and the size of what came.
func (l *listener) look(t testing.TB, client *http.Client, path string) (status, size int) {
	req, err := http.NewRequest(http.MethodGet, l.URL+path, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+readKey)
	req.Header.Set("Accept", "text/html")
	res, err := client.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	n, err := io.Copy(io.Discard, res.Body)
	require.NoError(t, err)
	return res.StatusCode, int(n)
}

// postTo stores one body.
func (l *listener) postTo(t testing.TB, path string, body []byte) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, err := z.Write(body)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	req, err := http.NewRequest(http.MethodPost, l.URL+path, &zipped)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+listenertest.Key)
	req.Header.Set("Content-Encoding", "gzip")
	res, err := l.Client.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode, "%s", answer)
	require.Contains(t, string(answer), `"rejected":[]`)
}

// profileOf makes a profile of nearly 4 MiB, the most that a record may have.
func profileOf(kind string) string {
	const most = 4<<20 - 4<<10
	var b strings.Builder
	switch kind {
	case "edges":
		b.WriteString(`{"main()":{"ct":1,"wt":900000000}`)
		for i := 0; b.Len() < most; i++ {
			fmt.Fprintf(&b, `,"App\\Service\\Layer%d\\Class%d::method==>App\\Service\\Layer%d\\Class%d::method":{"ct":%d,"wt":%d,"cpu":%d,"mu":%d,"pmu":%d}`, i/7, i/7, i/7+1, i, i+1, 900_000-i, i, i, i)
		}
		b.WriteString("}")
	case "collapsed":
		b.WriteString(`{"collapsed":"`)
		for i := 0; b.Len() < most; i++ {
			fmt.Fprintf(&b, `main;App\\Kernel::handle;App\\Layer%d::run;App\\Class%d::method;App\\Deep%d::leaf %d\n`, i%50, i%5000, i, i%7+1)
		}
		b.WriteString(`"}`)
	case "speedscope":
		b.WriteString(`{"shared":{"frames":[`)
		for i := 0; b.Len() < most/2; i++ {
			fmt.Fprintf(&b, `{"name":"App\\Class%d::method","file":"/srv/app/src/Class%d.php","line":%d},`, i, i, i)
		}
		b.WriteString(`{"name":"main"}]},"profiles":[{"type":"sampled","name":"x","unit":"nanoseconds","startValue":0,"endValue":1,"samples":[`)
		for i := 0; b.Len() < most-60_000; i++ {
			fmt.Fprintf(&b, `[%d,%d,%d,%d],`, i%100, i%1000, i%7000, i%9000)
		}
		fmt.Fprintf(&b, `[0]],"weights":[%s1]}]}`, strings.Repeat("1,", 20_000))
	}
	return b.String()
}

// A hundred browsers open the looks and profiles of the largest records at one time: all are answered or told to come
// again, and the process stays small.
func TestLooksAtOnce(t *testing.T) {
	const most = 256 << 20 // bytes of the process
	l := startListener(t, "BITVILLE_READ_KEY_SHOP="+readKey)
	var paths []string
	for i, kind := range []string{"edges", "collapsed", "speedscope"} {
		for n := range 3 {
			id := fmt.Sprintf("00000000-0000-7000-8000-%06d%06d", i, n)
			l.postTo(t, "/ingest/php", fmt.Appendf(nil, `{"project":"shop","correlation_id":"%s","timestamp":%d,"duration_ms":900,"request_uri":"/cart","profiling_data":%s}`, id, time.Now().Unix(), profileOf(kind)))
			paths = append(paths, "/traces/shop/"+id, "/traces/shop/"+id+"/profile")
		}
	}
	l.forget(t)
	before, _ := l.memory(t)
	client := &http.Client{Transport: l.http1()}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	var mu sync.Mutex
	answers := map[int]int{}
	for n := range 100 {
		all.Go(func() {
			status, size := l.look(t, client, paths[n%len(paths)])
			require.Less(t, size, 300_000, paths[n%len(paths)])
			mu.Lock()
			defer mu.Unlock()
			answers[status]++
		})
	}
	all.Wait()
	_, peak := l.memory(t)
	t.Logf("answers %v, %d MiB before, at most %d MiB", answers, before>>20, peak>>20)
	require.Equal(t, 100, answers[http.StatusOK]+answers[http.StatusServiceUnavailable])
	require.Positive(t, answers[http.StatusOK])
	require.LessOrEqual(t, peak, int64(most))
}

// BenchmarkLookPage is the page of a request with 500 statements, each with its plan, and a profile of 164 KB.
func BenchmarkLookPage(b *testing.B) {
	l := startListener(b, "BITVILLE_READ_KEY_SHOP="+readKey)
	const id = "00000000-0000-7000-8000-000000000001"
	packed, err := os.ReadFile("../testdata/payloads/php-xhprof-large.json.gz")
	require.NoError(b, err)
	z, err := gzip.NewReader(bytes.NewReader(packed))
	require.NoError(b, err)
	raw, err := io.ReadAll(z)
	require.NoError(b, err)
	now := time.Now().Unix()
	moved := func(raw json.RawMessage, at float64) map[string]any {
		var r map[string]any
		require.NoError(b, json.Unmarshal(raw, &r))
		r["project"], r["correlation_id"], r["timestamp"] = "shop", id, at
		return r
	}
	page, err := json.Marshal(moved(raw, float64(now)))
	require.NoError(b, err)
	l.postTo(b, "/ingest/php", page)
	text, err := os.ReadFile("../testdata/payloads/postgres-auto-explain.json")
	require.NoError(b, err)
	var explained []json.RawMessage
	require.NoError(b, json.Unmarshal(text, &explained))
	var statements []map[string]any
	for i := range 500 {
		statements = append(statements, moved(explained[i%len(explained)], float64(now)+float64(i)/1000))
	}
	body, err := json.Marshal(statements)
	require.NoError(b, err)
	l.postTo(b, "/ingest/postgres", body)

	var took []time.Duration
	before := l.cpu(b)
	for b.Loop() {
		start := time.Now()
		status, size := l.look(b, l.Client, "/traces/shop/"+id)
		took = append(took, time.Since(start))
		require.Equal(b, http.StatusOK, status)
		require.Less(b, size, 300_000)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64((l.cpu(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
}

// BenchmarkIngestBesidePages is how long requests take while somebody opens a page a second, beside the same without: in
// turns, so that what else the machine does meets both.
func BenchmarkIngestBesidePages(b *testing.B) {
	const turn = 4 * time.Second
	pages := []string{"", "/requests?since=1h", "/routes?since=24h", "/statements?since=168h", "/requests?since=168h"}
	for b.Loop() {
		l := startListener(b, "BITVILLE_READ_KEY_SHOP="+readKey)
		var ratios, alone, beside []time.Duration
		for n := range 10 {
			stop := make(chan struct{})
			normal := l.send(b, 4, "/ingest/php", stop, profiles(1))
			looking := n%2 == 1
			for second := range int(turn / time.Second) {
				if looking {
					status, _ := l.look(b, l.Client, "/traces/shop"+pages[(n+second)%len(pages)])
					require.Equal(b, http.StatusOK, status)
				}
				time.Sleep(time.Second)
			}
			close(stop)
			_, p99 := normal.p99(200)
			if looking {
				beside = append(beside, p99)
				ratios = append(ratios, p99*1000/alone[len(alone)-1]) // thousandths
			} else {
				alone = append(alone, p99)
			}
		}
		middle := func(all []time.Duration) float64 { slices.Sort(all); return float64(all[len(all)/2]) }
		b.ReportMetric(middle(alone)/1e6, "alone-p99-ms")
		b.ReportMetric(middle(beside)/1e6, "beside-p99-ms")
		b.ReportMetric(middle(ratios)/1000, "ratio")
		require.NoError(b, l.Stop(syscall.SIGTERM))
	}
}
