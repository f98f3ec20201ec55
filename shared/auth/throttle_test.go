package auth_test

import (
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/auth"
)

// networks of a throttle's table, as its documentation says.
const networks = 16_384

// network returns one of many.
func network(n int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(n >> 16), byte(n >> 8), byte(n)}), 32)
}

// clock is a time that stands still until it is set forward.
type clock struct{ t time.Time }

func newClock() *clock { return &clock{time.Unix(1_763_843_023, 0)} }

func (c *clock) now() time.Time          { return c.t }
func (c *clock) forward(d time.Duration) { c.t = c.t.Add(d) }

// failures counts how many failures of a network are answered before it is to wait.
func failures(t *auth.Throttle, of netip.Prefix) (n int) {
	for t.Fail(of) == 0 {
		n++
	}
	return n
}

func TestThrottle(t *testing.T) {
	clock := newClock()
	throttle := auth.NewThrottle(100, clock.now)
	require.Equal(t, 100, failures(throttle, network(1)))
	require.Equal(t, 600*time.Millisecond, throttle.Fail(network(1)), "a hundred a minute")
	require.Equal(t, 600*time.Millisecond, throttle.Fail(network(1)), "to ask early does not make it longer")
	require.Equal(t, 100, failures(throttle, network(2)), "each network has a bucket of its own")

	clock.forward(200 * time.Millisecond)
	require.Equal(t, 400*time.Millisecond, throttle.Fail(network(1)))
	clock.forward(400 * time.Millisecond)
	require.Equal(t, 1, failures(throttle, network(1)))
	clock.forward(30 * time.Second)
	require.Equal(t, 50, failures(throttle, network(1)))
	clock.forward(time.Hour)
	require.Equal(t, 100, failures(throttle, network(1)), "no more than a bucket is saved up")
}

// Whoever waits as long as he is told is answered then, and not before.
func TestThrottleTellsHowLong(t *testing.T) {
	for _, perMinute := range []int{1, 3, 7, 59, 100, 999} {
		clock := newClock()
		throttle := auth.NewThrottle(perMinute, clock.now)
		require.Equal(t, perMinute, failures(throttle, network(1)))
		for range 50 {
			wait := throttle.Fail(network(1))
			require.Positive(t, wait)
			require.LessOrEqual(t, wait, time.Minute/time.Duration(perMinute)+time.Microsecond)
			clock.forward(wait - time.Microsecond)
			require.Positive(t, throttle.Fail(network(1)), "%d a minute: a microsecond early", perMinute)
			clock.forward(time.Microsecond)
			require.Zero(t, throttle.Fail(network(1)), "%d a minute: after %s", perMinute, wait)
		}
	}
}

// An exhausted network is remembered, however many others come.
func TestThrottleForgetsNothingThatCounts(t *testing.T) {
	clock := newClock()
	throttle := auth.NewThrottle(2, clock.now)
	for n := range networks {
		require.Zero(t, throttle.Fail(network(n)))
		require.Zero(t, throttle.Fail(network(n)))
	}
	answered := 0
	for n := range networks {
		if throttle.Fail(network(networks+n)) == 0 {
			answered++
		}
	}
	require.Equal(t, 2, answered, "those that the table has no room for share a bucket")
	for n := range networks {
		require.Positive(t, throttle.Fail(network(n)), "%d was forgotten", n)
	}

	clock.forward(time.Minute)
	for n := range networks {
		require.Equal(t, 2, failures(throttle, network(2*networks+n)), "there is room again")
	}
	require.Zero(t, throttle.Fail(network(0)), "and a bucket for whoever finds none")
}

func TestThrottleIsSafeForConcurrentUse(t *testing.T) {
	clock := newClock()
	throttle := auth.NewThrottle(100, clock.now)
	var answered [3]atomic.Int64
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() {
			for n := range 3 * 200 {
				if throttle.Fail(network(n%3)) == 0 {
					answered[n%3].Add(1)
				}
			}
		})
	}
	clients.Wait()
	for n := range answered {
		require.EqualValues(t, 100, answered[n].Load())
	}
}

func BenchmarkThrottle(b *testing.B) {
	for name, of := range map[string]int{"one network": 1, "full table": networks, "more networks than the table holds": 4 * networks} {
		b.Run(name, func(b *testing.B) {
			throttle := auth.NewThrottle(100, time.Now)
			for n := range of {
				throttle.Fail(network(n))
			}
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				throttle.Fail(network(n % of))
			}
		})
	}
	b.Run("from all processors", func(b *testing.B) {
		throttle := auth.NewThrottle(100, time.Now)
		b.RunParallel(func(pb *testing.PB) {
			for n := 0; pb.Next(); n++ {
				throttle.Fail(network(n % networks))
			}
		})
	})
	b.Run("memory of a full table", func(b *testing.B) {
		var before, after runtime.MemStats
		var throttle *auth.Throttle
		for b.Loop() {
			throttle = nil
			runtime.GC()
			runtime.ReadMemStats(&before)
			throttle = auth.NewThrottle(100, time.Now)
			for n := range networks {
				throttle.Fail(network(n))
			}
			runtime.GC()
			runtime.ReadMemStats(&after)
		}
		b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc), "bytes")
		runtime.KeepAlive(throttle)
	})
}
