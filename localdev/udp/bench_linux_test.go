package udp

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

// profile is the text of a record of 2 KB.
func profile(n int) string {
	return strings.Replace(text("my_shop", n), "[1,2.50]", `"`+strings.Repeat("main()==>Cart::total ", 87)+`"`, 1)
}

// BenchmarkDatagrams sends 10,000 datagrams a second over a real socket into a real database, from this process, on
// the same cores: -benchtime=100000x takes ten seconds. cpu-us/op is what both sides take together.
func BenchmarkDatagrams(b *testing.B) {
	const rate = 10_000 // a second
	db, _ := sqlitetest.New(b)
	cfg := config(db)
	became := watched(&cfg)
	client, _ := start(b, cfg)
	before := cpu(b)
	b.ResetTimer()
	begin := time.Now()
	for n := range b.N {
		if wait := time.Until(begin.Add(time.Duration(n) * time.Second / rate)); wait > 0 {
			time.Sleep(wait)
		}
		send(b, client, sign(newKey, line("php", "my_shop"), profile(n)))
	}
	b.StopTimer()
	took := time.Since(begin)
	became.requireAll(b, b.N)
	b.ReportMetric(float64(b.N)/took.Seconds(), "sent/s")
	b.ReportMetric(100*float64(b.N-became.accepted())/float64(b.N), "lost-%")
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
	if len(became.dropped) > 0 {
		b.Logf("dropped: %v", became.dropped)
	}
}

// BenchmarkTake is what the reading goroutine does with a datagram, but for the system call.
func BenchmarkTake(b *testing.B) {
	good := sign(newKey, line("php", "my_shop"), profile(1))
	for _, c := range []struct{ name, datagram string }{
		{"stored", good},
		{"gzip", sign(newKey, line("php", "my_shop"), gzipped(b, profile(1)))},
		{"forged", good[:len(good)-1] + " "},
		{"forged-64KB", sign("forged", line("php", "my_shop"), strings.Repeat("x", 65_000))},
		{"unknown-project", sign("forged", line("php", "unknown"), profile(1))},
		{"noise", strings.Repeat("x", 2000)},
	} {
		b.Run(c.name, func(b *testing.B) {
			cfg := config(nil)
			now := time.Now()
			d := newDecoder(cfg)
			datagram := []byte(c.datagram)
			b.ReportAllocs()
			for b.Loop() {
				if s, err := d.verify(datagram, now); err == nil {
					_, _, err = d.decode(s, now)
					require.NoError(b, err)
				}
			}
		})
	}
}

// BenchmarkForgedFlood sends forged datagrams as fast as it can: read-% are those that the kernel did not have to drop.
func BenchmarkForgedFlood(b *testing.B) {
	cfg := config(nil)
	became := watched(&cfg)
	client, stop := start(b, cfg)
	forged := sign("forged", line("php", "my_shop"), profile(1))
	before := cpu(b)
	for b.Loop() {
		send(b, client, forged)
	}
	stop()
	require.Equal(b, b.N, became.all())
	b.ReportMetric(100*float64(became.drops(BadMAC))/float64(b.N), "read-%")
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-us/op")
}

// cpu is how long this process has worked.
func cpu(b *testing.B) time.Duration {
	var used syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
