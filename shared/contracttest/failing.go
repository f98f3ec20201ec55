package contracttest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/refusals"
	"github.com/bitville/listener/shared/store"
)

// FailingStore is a store that takes nothing: what it is asked ends as the function says.
type FailingStore func() error

// Admit finds room: what fails is the insert.
func (s FailingStore) Admit() error { return nil }

// Insert stores nothing.
func (s FailingStore) Insert(context.Context, []record.Record) (store.Result, error) {
	return store.Result{}, s()
}

// AddRefusals forgets them.
func (s FailingStore) AddRefusals(context.Context, []refusals.Refusal) error { return nil }

// Refusals says what an insert would.
func (s FailingStore) Refusals(context.Context, string, time.Time, int) ([]refusals.Refusal, error) {
	return nil, s()
}

// Ready says what an insert would.
func (s FailingStore) Ready(context.Context) error { return s() }

// RunFailing sends requests to listeners whose store fails: one that cannot take records now, one whose error
// nobody thought of, and one that panics. target makes a listener with the store.
func RunFailing(t *testing.T, target func(*testing.T, FailingStore) Target) {
	for _, f := range []struct {
		name  string
		store FailingStore
		cases []Case
	}{
		{"a store that is full", func() error {
			return &store.Unavailable{Reason: "the disk is full", RetryAfter: 7 * time.Second, Err: errors.New("secret: /var/lib")}
		}, unavailable("the disk is full", "7", "the disk is full", "7")},
		{"a store with an unknown error", func() error {
			return errors.New("secret: INSERT INTO t")
		}, unavailable("the store failed", "5", "failed", "1")},
		{"a store that panics", func() error {
			panic("secret: " + t.Name())
		}, broken()},
	} {
		t.Run(f.name, func(t *testing.T) {
			newRun(target(t, f.store)).groups(t, group{"what needs the store", f.cases}, group{"what does not", withoutStore()})
		})
	}
}

// unavailable are the answers when no record can be stored now.
func unavailable(why, after, readiness, readyAfter string) []Case {
	later, ready := map[string]string{"Retry-After": after}, map[string]string{"Retry-After": readyAfter}
	answer := failure("Not stored: " + why + "; send the same body again later")
	return []Case{
		{Name: "a record", Body: php(), Status: 503, Answer: answer, Returns: later},
		{Name: "a statement", Route: postgresRoute, Body: postgres(), Status: 503, Answer: answer, Returns: later},
		{Name: "a good record and a bad one", Body: array(php(), "{}"), Status: 503, Answer: answer, Returns: later},
		{Name: "php-profiler's profile", Route: xhguiRoute, Body: xhguiProfile(), Status: 503, Answer: xhguiFailure("Not stored: " + why + "; send the same body again later"), Returns: later},
		{Name: "the same, its key in the path", Route: xhguiKeyRoute, Header: noKey, Body: xhguiProfile(), Status: 503, Returns: later},
		{Name: "OTLP", Route: otlpRoute, Body: otlpBody(otlpSpan()), Status: 503, Answer: answer},
		{Name: "the same, its key in the path", Route: otlpKeyRoute, Header: noKey, Body: otlpBody(otlpSpan()), Status: 503, Answer: answer},
		{Name: "Buggregator's profile", Route: buggregatorRoute, Body: buggregatorProfile(), Status: 202, Answer: `{"status":false}`},
		{Name: "the same, its key in the path", Route: buggregatorKeyRoute, Header: noKey, Body: buggregatorProfile(), Status: 202, Answer: `{"status":false}`},
		{Name: "refusals", Route: "GET /refusals", Status: 503, Answer: failure("Not read: " + why), Returns: later},
		{
			Name: "ready", Route: "GET /ready", Header: noKey, Status: 503, Returns: ready,
			Answer: `{"error":"Not ready","ready":false,"uptime":"{any}","version":"{any}","database":` + quote(readiness) + `}`,
		},
		{Name: "ready, HEAD", Route: "HEAD /ready", Header: noKey, Status: 503, Returns: ready},
	}
}

// broken are the answers when the listener has a fault.
func broken() []Case {
	answer := failure("Internal error: it is in the listener's log under this answer's X-Request-Id")
	return []Case{
		{Name: "a record", Body: php(), Status: 500, Answer: answer},
		{Name: "a statement", Route: postgresRoute, Body: postgres(), Status: 500, Answer: answer},
		{Name: "php-profiler's profile", Route: xhguiRoute, Body: xhguiProfile(), Status: 500, Answer: answer},
		{Name: "the same, its key in the path", Route: xhguiKeyRoute, Header: noKey, Body: xhguiProfile(), Status: 500, Answer: answer},
		{Name: "OTLP", Route: otlpRoute, Body: otlpBody(otlpSpan()), Status: 500, Answer: answer},
		{Name: "the same, its key in the path", Route: otlpKeyRoute, Header: noKey, Body: otlpBody(otlpSpan()), Status: 500, Answer: answer},
		{Name: "Buggregator's profile", Route: buggregatorRoute, Body: buggregatorProfile(), Status: 500, Answer: answer},
		{Name: "the same, its key in the path", Route: buggregatorKeyRoute, Header: noKey, Body: buggregatorProfile(), Status: 500, Answer: answer},
		{Name: "refusals", Route: "GET /refusals", Status: 500, Answer: answer},
		{Name: "ready", Route: "GET /ready", Header: noKey, Status: 500, Answer: answer},
		{Name: "ready, HEAD", Route: "HEAD /ready", Header: noKey, Status: 500},
	}
}

// withoutStore is what a listener answers whatever its store does.
func withoutStore() []Case {
	return []Case{
		{Name: "health", Route: "GET /health", Header: noKey, Status: 200},
		{Name: "no record", Body: "[]", Status: 200, Answer: accepted(0)},
		{Name: "a bad record", Body: php("timestamp", "0"), Status: 400, Answer: invalid("timestamp", lowTimestamp)},
		{Name: "no key", Header: noKey, Body: php(), Status: 401},
	}
}

// RunThrottled sends wrong keys until the listener has enough of them, and then a good one. failures is how many
// it takes from one address.
func RunThrottled(t *testing.T, target Target, failures int) {
	unknown := map[string]string{"Authorization": "Bearer somebody-elses-key"}
	var wrong []Case
	for n := range failures {
		wrong = append(wrong, Case{Name: fmt.Sprint(n), Header: unknown, Body: php(), Status: 401})
	}
	throttled := `{"error":"Too many requests without a valid API key from this address; set the right key, and wait"}`
	newRun(target).groups(t, group{"wrong keys", wrong}, group{"then", []Case{
		{Name: "a wrong key", Header: unknown, Body: php(), Status: 429, Answer: throttled},
		{Name: "no key", Header: noKey, Route: postgresRoute, Body: "not read", Status: 429, Answer: throttled},
		{Name: "a forwarded address that nobody vouches for", Header: map[string]string{"Authorization": "Bearer x", "X-Forwarded-For": "192.0.2.1"}, Body: php(), Status: 429},
		{Name: "a wrong key for refusals", Route: "GET /refusals", Header: unknown, Status: 429, Answer: throttled},
		{Name: "a wrong token", Route: "POST /run/import?token=wrong", Header: noKey, Body: "not read", Status: 429, Answer: xhguiFailure("Too many requests without a valid API key from this address; set the right key, and wait")},
		{Name: "a wrong key in the path", Route: "POST /k/wrong/run/import", Header: noKey, Body: "not read", Status: 429},
		{Name: "a wrong key of OTLP", Route: otlpRoute, Header: unknown, Body: "not read", Status: 429, Answer: throttled},
		{Name: "the same in the path", Route: "POST /k/wrong/v1/traces", Header: noKey, Body: "not read", Status: 429, Answer: throttled},
		{Name: "a wrong key of a client that would throw it", Route: buggregatorRoute, Header: unknown, Body: "not read", Status: 401, Answer: throttled},
		{Name: "a good key in the path", Route: xhguiKeyRoute, Header: noKey, Body: xhguiProfile(), Status: 200},
		{Name: "the right key", Body: php(), Status: 200},
		{Name: "a key of another project", Body: php("project", `"another"`), Status: 403},
		{Name: "health", Route: "GET /health", Header: noKey, Status: 200},
	}})
}
