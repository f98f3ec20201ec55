package main

import (
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
)

// BenchmarkAttack is how long normal requests take while 2,000 connections ask nothing, 500 clients never end
// their headers and 50 never end their bodies, beside the same without them.
func BenchmarkAttack(b *testing.B) {
	for b.Loop() {
		l := startListener(b)
		measure := func(during func()) time.Duration {
			stop := make(chan struct{})
			normal := l.send(b, 4, "/ingest/php", stop, profiles(1))
			during()
			close(stop)
			n, p99 := normal.p99(200)
			require.Positive(b, n)
			require.Empty(b, normal.took[0], "normal requests without an answer")
			return p99
		}
		quiet := measure(func() { time.Sleep(5 * time.Second) })
		var closed atomic.Int64
		var last time.Duration
		l.forget(b)
		attacked := measure(func() {
			start := time.Now()
			var attackers sync.WaitGroup
			for n := range 2550 {
				time.Sleep(2 * time.Millisecond) // that they begin is work for both sides, and not what is measured
				attackers.Go(func() {
					l.attack(n)
					closed.Add(1)
				})
			}
			opened := time.Now()
			attackers.Wait()
			last = time.Since(opened)
			b.Logf("opened in %v", opened.Sub(start))
		})
		_, most := l.memory(b)
		b.ReportMetric(float64(quiet.Microseconds())/1000, "quiet-p99-ms")
		b.ReportMetric(float64(attacked.Microseconds())/1000, "attacked-p99-ms")
		b.ReportMetric(float64(attacked)/float64(quiet), "ratio")
		b.ReportMetric(last.Seconds(), "closed-s")
		b.ReportMetric(float64(most)/(1<<20), "peak-MiB")
		require.EqualValues(b, 2550, closed.Load())
		require.NoError(b, l.Stop(syscall.SIGTERM))
	}
}

// attack is one of 2,000 idle connections, 500 slow headers or 50 slow bodies. It returns when it is closed.
func (l *listener) attack(n int) {
	conn, err := tls.Dial("tcp", strings.TrimPrefix(l.URL, "https://"), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		return // closed in its handshake
	}
	defer conn.Close()
	gone := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, conn)
		close(gone)
	}()
	say := func(text string) { _, _ = io.WriteString(conn, text) }
	switch {
	case n%51 == 0:
		say("POST /ingest/php HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + listenertest.Key + "\r\nContent-Length: 100000\r\n\r\n")
	case n%5 == 0:
		say("POST /ingest/php HTTP/1.1\r\nHost: x\r\nX-A: ")
	default:
		<-gone
		return
	}
	for {
		select {
		case <-gone:
			return
		case <-time.After(time.Second):
			say("x")
		}
	}
}

// BenchmarkBomb is what 1 MiB of gzip costs that opens to 1 GiB.
func BenchmarkBomb(b *testing.B) {
	var bomb bytes.Buffer
	z, err := gzip.NewWriterLevel(&bomb, gzip.BestCompression)
	require.NoError(b, err)
	zeros := make([]byte, 1<<20)
	for range 1024 {
		_, err := z.Write(zeros)
		require.NoError(b, err)
	}
	require.NoError(b, z.Close())
	l := startListener(b)
	require.Equal(b, 200, l.sendOnce(b, profiles(1)()))
	idle, _ := l.memory(b)
	l.forget(b)
	before := l.cpu(b)
	for b.Loop() {
		require.Equal(b, 413, l.sendOnce(b, bomb.Bytes()))
	}
	_, most := l.memory(b)
	b.ReportMetric(float64(bomb.Len())/(1<<20), "bomb-MiB")
	b.ReportMetric(float64((l.cpu(b)-before).Milliseconds())/float64(b.N), "cpu-ms/op")
	b.ReportMetric(float64(most-idle)/(1<<20), "above-idle-MiB")
}

// sendOnce posts one body and returns the status.
func (l *listener) sendOnce(b testing.TB, body []byte) int {
	stop := make(chan struct{})
	var once sync.Once
	result := l.send(b, 1, "/ingest/php", stop, func() []byte { once.Do(func() { close(stop) }); return body })
	result.clients.Wait()
	for status := range result.took {
		return status
	}
	return 0
}

// BenchmarkOverload is ten times as many clients as keep the listener busy, of requests of one record and of a
// hundred; how long what is accepted and what is refused takes, and how soon all is well again.
func BenchmarkOverload(b *testing.B) {
	for _, c := range []struct{ clients, records int }{{320, 1}, {80, 100}, {40, 2000}} {
		b.Run(fmt.Sprintf("%d clients, %d records", c.clients, c.records), func(b *testing.B) {
			l := startListener(b)
			b.ResetTimer()
			stop := make(chan struct{})
			result := l.send(b, c.clients, "/ingest/php", stop, profiles(c.records))
			for b.Loop() {
				time.Sleep(10 * time.Second)
			}
			close(stop)
			result.clients.Wait()
			accepted, p99 := result.p99(200)
			refused, refusals := result.p99(503)
			_, most := l.memory(b)
			start := time.Now()
			for {
				again := time.Now()
				if l.sendOnce(b, profiles(1)()) == 200 && time.Since(again) < 50*time.Millisecond {
					break
				}
			}
			b.ReportMetric(float64(accepted*c.records)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(p99.Milliseconds()), "accepted-p99-ms")
			b.ReportMetric(float64(refused)/float64(accepted+refused), "refused")
			b.ReportMetric(float64(refusals.Milliseconds()), "refused-p99-ms")
			b.ReportMetric(float64(most)/(1<<20), "peak-MiB")
			b.ReportMetric(time.Since(start).Seconds(), "normal-after-s")
			require.Empty(b, result.took[0], "requests without an answer")
		})
	}
}

// BenchmarkMemory is the most memory that the listener has while many send it the largest bodies that there are,
// compressed, beside 500 open connections.
func BenchmarkMemory(b *testing.B) {
	node := func(attributes string) string {
		const span = `{"traceId":"f27e620cac0a569ad03589ab60e067ba","spanId":"00f067aa0ba902b7","parentSpanId":"00f067aa0ba902b8","name":"SeqScan on product","kind":2,"startTimeUnixNano":"%[1]d","endTimeUnixNano":"%[1]d","attributes":[%[2]s]},`
		return fmt.Sprintf(span, time.Now().UnixNano(), attributes)
	}
	spans := func(size int, span string) []byte {
		return []byte(`{"resourceSpans":[{"scopeSpans":[{"spans":[` + strings.Repeat(span, size/len(span)) + "{}]}]}]}")
	}
	const query, text = `{"key":"db.system","value":{"stringValue":"postgresql"}},{"key":"db.statement","value":{"stringValue":"`, `"}}`
	for name, body := range map[string][]byte{
		"/v1/traces: 16 MiB of statements":         spans(16<<20-1<<10, strings.Replace(node(query+"SELECT 1"+text), `"kind":2`, `"kind":3`, 1)),
		"/v1/traces: 63 MiB of plan nodes":         spans(63<<20, node(`{"key":"query.query_id","value":{"intValue":1}},{"key":"backend.pid","value":{"intValue":1}}`)),
		"/v1/traces: 63 MiB of empty spans":        spans(63<<20, "{},"),
		"/v1/traces: 63 MiB of control characters": spans(63<<20, node(query+strings.Repeat(`\u0001`, 1<<20)+text)),
		"31 MiB of blanks":                         bytes.Repeat([]byte(" "), 31<<20),
		"5,000 empty records":                      []byte("[" + strings.Repeat("{},", 4999) + "{}]"),
		"empty fields":                             []byte("[" + strings.Repeat(`{"":0,"":0,"":0,"":0},`, 4999) + "{}]"),
		"one field after the other":                []byte(`{"":0` + strings.Repeat(`,"":0`, 6<<20) + "}"),
		"4,900 profiles":                           profiles(4900)(),
	} {
		var zipped bytes.Buffer
		z := gzip.NewWriter(&zipped)
		_, err := z.Write(body)
		require.NoError(b, err)
		require.NoError(b, z.Close())
		b.Run(name, func(b *testing.B) {
			l := startListener(b)
			for range 500 {
				l.dial(b)
			}
			stop := make(chan struct{})
			path, _, ok := strings.Cut(name, ": ")
			if !ok {
				path = "/ingest/php"
			}
			result := l.send(b, 64, path, stop, zipped.Bytes)
			for b.Loop() {
				time.Sleep(10 * time.Second)
			}
			close(stop)
			result.clients.Wait()
			_, most := l.memory(b)
			for status, took := range result.took {
				b.ReportMetric(float64(len(took)), fmt.Sprint("answers-", status))
			}
			b.ReportMetric(float64(most)/(1<<20), "peak-MiB")
		})
	}
}
