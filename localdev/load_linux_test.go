package main

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
)

// traffic is what a number of clients met that sent one request after the other.
type traffic struct {
	clients sync.WaitGroup
	mu      sync.Mutex
	took    map[int][]time.Duration // by status; 0 is no answer at all
}

// send has clients post bodies, each on a connection of its own, until stop is closed.
func (l *listener) send(b testing.TB, clients int, path string, stop <-chan struct{}, body func() []byte) *traffic {
	result := &traffic{took: make(map[int][]time.Duration)}
	for range clients {
		transport := &http.Transport{
			TLSClientConfig: l.Client.Transport.(*http.Transport).TLSClientConfig.Clone(),
			TLSNextProto:    map[string]func(string, *tls.Conn) http.RoundTripper{}, // HTTP/1.1
		}
		client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
		result.clients.Go(func() {
			defer transport.CloseIdleConnections()
			for {
				select {
				case <-stop:
					return
				default:
				}
				data := body()
				start := time.Now()
				req, err := http.NewRequest("POST", l.URL+path, bytes.NewReader(data))
				if err != nil {
					b.Error(err)
					return
				}
				req.Header.Set("Authorization", "Bearer "+listenertest.Key)
				if data[0] == 0x1f {
					req.Header.Set("Content-Encoding", "gzip")
				}
				status := 0
				if res, err := client.Do(req); err == nil {
					_, _ = io.Copy(io.Discard, res.Body)
					_ = res.Body.Close()
					status = res.StatusCode
				}
				took := time.Since(start)
				result.mu.Lock()
				result.took[status] = append(result.took[status], took)
				result.mu.Unlock()
			}
		})
	}
	return result
}

// p99 waits until all is answered and returns how many requests had a status, and the time in which 99 of 100
// of them were answered.
func (r *traffic) p99(status int) (n int, p99 time.Duration) {
	r.clients.Wait()
	took := slices.Sorted(slices.Values(r.took[status]))
	if len(took) == 0 {
		return 0, 0
	}
	return len(took), took[len(took)*99/100]
}

// profiles makes bodies of so many records with ids of their own, of about 2 KB each.
func profiles(count int) func() []byte {
	filler := strings.Repeat("x", 1800)
	now := time.Now().Unix()
	return func() []byte {
		var body bytes.Buffer
		for i := range count {
			var id [16]byte
			_, _ = rand.Read(id[:])
			sep := ","
			if i == 0 {
				sep = "["
			}
			fmt.Fprintf(&body, `%s{"project":"shop","correlation_id":"%s","timestamp":%d,"duration_ms":1.5,"request_uri":"/cart","profiling_data":{"main()":{"wt":9120},"filler":"%s"}}`,
				sep, hex.EncodeToString(id[:]), now, filler)
		}
		body.WriteByte(']')
		return body.Bytes()
	}
}

// memory returns the bytes that the process has now, and the most that it had since forget.
func (l *listener) memory(t testing.TB) (now, most int64) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", l.Cmd.Process.Pid))
	require.NoError(t, err)
	read := func(name string) int64 {
		_, rest, _ := strings.Cut(string(status), "\n"+name+":")
		n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		require.NoError(t, err)
		return n << 10
	}
	return read("VmRSS"), read("VmHWM")
}

// forget makes the most memory of the process that which it has now.
func (l *listener) forget(t testing.TB) {
	t.Helper()
	require.NoError(t, os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", l.Cmd.Process.Pid), []byte("5"), 0o600))
}

// cpu returns the processor time that the process has used.
func (l *listener) cpu(t testing.TB) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", l.Cmd.Process.Pid))
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(stat), ") ") // behind the program's name
	fields := strings.Fields(rest)
	user, err := strconv.Atoi(fields[11])
	require.NoError(t, err)
	system, err := strconv.Atoi(fields[12])
	require.NoError(t, err)
	return time.Duration(user+system) * time.Second / 100 // USER_HZ
}
