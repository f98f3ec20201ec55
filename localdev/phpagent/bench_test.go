package phpagent

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkPages is how long a visitor waits for a page under FPM behind nginx: without the agent, not sampled, and
// sampled; the listener up, down, and silent. -benchtime 500x asks for each of them 500 times, in turn, so that what
// else the machine does falls on all of them. The page takes some 3 ms, and Excimer runs with its defaults.
func BenchmarkPages(b *testing.B) {
	requireTools(b)
	if b.N == 1 { // Go's own first try
		return
	}
	udp := freeUDP(b)
	l := startListener(b, "BITVILLE_UDP_ADDR="+udp)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	defer silent.Close()
	up, down, quiet := l.URL, "https://"+freeTCP(b), "https://"+silent.Addr().String()
	type row struct {
		name, rate, url string
		site            *site
		took            []time.Duration
	}
	rows := []*row{
		{name: "no agent"},
		{name: "not sampled, https, up", rate: "0", url: up},
		{name: "not sampled, https, down", rate: "0", url: down},
		{name: "not sampled, https, silent", rate: "0", url: quiet},
		{name: "sampled, https, up", rate: "1", url: up},
		{name: "sampled, https, down", rate: "1", url: down},
		{name: "sampled, https, silent", rate: "1", url: quiet},
		{name: "sampled, udp, up", rate: "1", url: "udp://" + udp},
		{name: "sampled, udp, down", rate: "1", url: "udp://" + freeUDP(b)},
		{name: "sampled, file", rate: "1", url: "file://" + b.TempDir()},
	}
	const code = `function work($n) { $s = ''; for ($i = 0; $i < $n; $i++) $s = md5($s . $i); return $s; }
		for ($j = 0; $j < 20; $j++) echo work(500), "\n";`
	for _, r := range rows {
		r.site = (&site{code: code, bare: r.url == "", workers: 2, ini: []string{"sys_temp_dir=" + b.TempDir()}, env: map[string]string{
			"BITVILLE_SAMPLE_RATE": r.rate, "BITVILLE_URL": r.url, "BITVILLE_CA_PATH": l.CAFile,
		}}).start(b)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	get := func(r *row) time.Duration {
		start := time.Now()
		resp, err := client.Get(r.site.url + "/page")
		require.NoError(b, err)
		_, err = io.Copy(io.Discard, resp.Body)
		took := time.Since(start)
		require.NoError(b, err)
		require.NoError(b, resp.Body.Close())
		require.Equal(b, 200, resp.StatusCode)
		return took
	}
	for _, r := range rows { // opcache, TLS
		for range 5 {
			get(r)
		}
	}
	b.ResetTimer()
	for range b.N {
		for _, r := range rows {
			r.took = append(r.took, get(r))
		}
	}
	b.StopTimer()
	var table strings.Builder
	ms := func(r *row, share float64) float64 {
		slices.Sort(r.took)
		return r.took[min(len(r.took)-1, int(share*float64(len(r.took))))].Seconds() * 1000
	}
	fmt.Fprintf(&table, "\n%-28s %8s %8s %8s\n", "", "p50 ms", "p99 ms", "p50 more")
	for _, r := range rows {
		fmt.Fprintf(&table, "%-28s %8.2f %8.2f %+8.2f\n", r.name, ms(r, 0.5), ms(r, 0.99), ms(r, 0.5)-ms(rows[0], 0.5))
	}
	fmt.Print(table.String()) // b.Log cuts after ten lines
}
