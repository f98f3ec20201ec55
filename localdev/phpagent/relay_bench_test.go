package phpagent

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
)

// BenchmarkRelay sends datagrams as PHP agents do, at a rate, through the built relay to a listener that counts the records and
// stores none. cpu-us/op is what the relay takes for a record; sent/op is what goes over the wire for it.
func BenchmarkRelay(b *testing.B) {
	for _, c := range []struct {
		name string
		rate int // a second
		size int // bytes of a record's JSON, roughly
	}{{"2KB", 4000, 2000}, {"10KB", 1000, 10_000}, {"150KB", 100, 150_000}} {
		b.Run(c.name, func(b *testing.B) {
			var records, wire atomic.Int64
			srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					return
				}
				zip, err := gzip.NewReader(bytes.NewReader(body))
				if err != nil {
					return
				}
				text, _ := io.ReadAll(zip)
				n := bytes.Count(text, []byte{'\n'})
				fmt.Fprintf(w, `{"accepted":%d,"duplicates":0,"rejected":[]}`, n)
				records.Add(int64(n))
				wire.Add(int64(len(body)))
			}))
			l := &listenertest.Listener{URL: srv.URL, CAFile: certificate(b, srv)}
			r := newRelay(b, l, "BITVILLE_FLUSH_INTERVAL=1s")
			r.start(b)
			client, err := net.Dial("udp", r.addr)
			require.NoError(b, err)
			defer client.Close()
			datagrams := make([][]byte, 100) // signed now, since to make one takes more than the relay
			for n := range datagrams {
				datagrams[n] = datagram(b, n, c.size)
			}
			b.ResetTimer()
			begin := time.Now()
			for n := range b.N {
				if wait := time.Until(begin.Add(time.Duration(n) * time.Second / time.Duration(c.rate))); wait > 0 {
					time.Sleep(wait)
				}
				_, err := client.Write(datagrams[n%len(datagrams)])
				require.NoError(b, err)
			}
			took := time.Since(begin)
			b.StopTimer()
			for last := int64(-1); records.Load() < int64(b.N) && records.Load() != last; time.Sleep(3 * time.Second) {
				last = records.Load()
			}
			require.NoError(b, r.stop(b, syscall.SIGTERM))
			used := r.cmd.ProcessState.UserTime() + r.cmd.ProcessState.SystemTime()
			b.ReportMetric(float64(b.N)/took.Seconds(), "sent/s")
			b.ReportMetric(100*float64(int64(b.N)-records.Load())/float64(b.N), "lost-%")
			b.ReportMetric(float64(used.Microseconds())/float64(records.Load()), "cpu-us/op")
			b.ReportMetric(float64(wire.Load())/float64(records.Load()), "wire-B/op")
		})
	}
}

// datagram is a record of about so many bytes, with numbers as a profile has them, compressed and signed.
func datagram(b *testing.B, n, size int) []byte {
	var edges strings.Builder
	for i := 0; edges.Len() < size; i++ {
		fmt.Fprintf(&edges, `,"Shop\\Cart\\Item%d::total==>Shop\\Price::of@%d":{"ct":%d,"wt":%d}`, i, i%3, i%7, (n*7919+i*104729)%99991)
	}
	record := fmt.Sprintf(`{"project":"shop","correlation_id":"%032x","timestamp":%d,"duration_ms":1.5,"request_uri":"/page/%d","profiling_data":{"main()":{"ct":1}%s}}`,
		n+1, time.Now().Unix(), n, edges.String())
	var body bytes.Buffer
	zip, _ := gzip.NewWriterLevel(&body, 1)
	_, _ = zip.Write([]byte(record)) // into memory
	_ = zip.Close()
	line := fmt.Sprintf("bv1 php shop %d ", time.Now().Unix())
	mac := hmac.New(sha256.New, []byte(listenertest.Key))
	mac.Write([]byte(line))
	mac.Write(body.Bytes())
	return append([]byte(line+hex.EncodeToString(mac.Sum(nil))+"\n"), body.Bytes()...)
}
