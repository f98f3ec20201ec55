package auth

import (
	"math"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"
)

// maxNetworks bounds a Throttle's table: 4 MB when it is full.
const maxNetworks = 16_384

// Throttle counts wrong keys by the network that they came from. Each network has a bucket of failures that may be
// answered as such; beyond it, a client is to wait.
//
// The table is bounded, and nothing that counts is forgotten to make room: a network is dropped for a new one
// when its bucket has filled up again. While there is none such, after failures from more networks within a
// minute than the table holds, all new ones share one bucket. So nobody gets more tries by sending from
// elsewhere in between, and an attack from many networks gets a bucket for each of 16,384 and one more, at the most.
// Another client that sends a wrong key meanwhile may have to wait without having earned it; a good key never has to, for
// it is not counted here.
type Throttle struct {
	perMinute int
	now       func() time.Time

	mu      sync.Mutex
	buckets *simplelru.LRU[netip.Prefix, *rate.Limiter]
	others  *rate.Limiter // the bucket of those that the table has no room for
}

// NewThrottle returns a throttle that lets each network fail perMinute times, at least 1, and as often again each
// minute.
func NewThrottle(perMinute int, now func() time.Time) *Throttle {
	t := &Throttle{perMinute: perMinute, now: now}
	t.others = t.newBucket()
	t.buckets, _ = simplelru.NewLRU[netip.Prefix, *rate.Limiter](maxNetworks, nil) // fails for a size below 1
	return t
}

// Fail counts a wrong key of a network (clientip.Network's), and returns 0 when it may be answered as such.
// Otherwise it returns after how long the next one may, and counts nothing.
func (t *Throttle) Fail(network netip.Prefix) (wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	bucket := t.bucket(network, now)
	if bucket.AllowN(now, 1) {
		return 0
	}
	missing := 1 - bucket.TokensAt(now)
	return time.Duration(math.Ceil(missing / float64(bucket.Limit()) * float64(time.Second)))
}

// bucket returns the network's bucket, which it makes when there is room for one.
func (t *Throttle) bucket(network netip.Prefix, now time.Time) *rate.Limiter {
	if bucket, ok := t.buckets.Get(network); ok {
		return bucket
	}
	if t.buckets.Len() == maxNetworks {
		_, oldest, _ := t.buckets.GetOldest()
		if oldest.TokensAt(now) < float64(t.perMinute) {
			return t.others
		}
	}
	bucket := t.newBucket()
	t.buckets.Add(network, bucket)
	return bucket
}

func (t *Throttle) newBucket() *rate.Limiter {
	return rate.NewLimiter(rate.Limit(t.perMinute)/60, t.perMinute)
}
