package libsql_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/libsql/libsqltest"
	"github.com/bitville/listener/shared/store/storetest"
)

// One fault is outlived within the request, or told as a reason to come again; then the same records sent
// again are stored exactly once.
func TestOneFault(t *testing.T) {
	server := libsqltest.Start(t)
	require.NoError(t, libsqltest.Open(t, server.URL).Ready(t.Context()))
	n := 0
	for _, c := range []struct {
		name   string
		fault  libsqltest.Fault
		reason string // "" when the store outlives it by itself
	}{
		{"cut before", libsqltest.CutBefore, ""},
		{"cut after", libsqltest.CutAfter, ""},
		{"cut inside", libsqltest.CutInside, ""},
		{"stall", libsqltest.Stall, ""},
		{"500", libsqltest.Status500, ""},
		{"garbage", libsqltest.Garbage, ""},
		{"a page", libsqltest.HTML, ""},
		{"429", libsqltest.Status429, "the database has too much to do"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n += 10
			proxy := libsqltest.NewProxy(t, server, func(request int64) libsqltest.Fault {
				if request == 1 {
					return c.fault
				}
				return libsqltest.None
			})
			db := libsqltest.Open(t, proxy.URL)
			result, err := db.Insert(t.Context(), storetest.Records(n, n+10))
			if c.reason != "" {
				var u *store.Unavailable
				require.ErrorAs(t, err, &u)
				require.Equal(t, c.reason, u.Reason)
				result, err = db.Insert(t.Context(), storetest.Records(n, n+10))
			}
			require.NoError(t, err)
			require.Equal(t, 10, result.Accepted+result.Duplicates)
			again, err := db.Insert(t.Context(), storetest.Records(n, n+10))
			require.NoError(t, err)
			require.Equal(t, store.Result{Duplicates: 10}, again)
		})
	}
	require.Equal(t, [][]string{{"80", "80"}}, server.Query(t, "SELECT count(*), count(DISTINCT correlation_id) FROM profiling_data"))
}

// A fault that stays is told within ten seconds, with a reason that holds nothing of the server or the SQL.
func TestLastingFault(t *testing.T) {
	server := libsqltest.Start(t)
	for name, c := range map[string]struct {
		fault  libsqltest.Fault
		reason string
	}{
		"cut before": {libsqltest.CutBefore, "the connection to the database was cut"},
		"cut inside": {libsqltest.CutInside, "the connection to the database was cut"},
		"stall":      {libsqltest.Stall, "the database did not answer in time"},
		"500":        {libsqltest.Status500, "the database failed"},
		"garbage":    {libsqltest.Garbage, "what answers at BITVILLE_DB_URL does not answer as a libSQL server does"},
		"a page":     {libsqltest.HTML, "what answers at BITVILLE_DB_URL does not answer as a libSQL server does"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := libsqltest.NewProxy(t, server, func(int64) libsqltest.Fault { return c.fault })
			db := libsqltest.Open(t, proxy.URL)
			start := time.Now()
			_, err := db.Insert(t.Context(), storetest.Records(0, 1))
			var u *store.Unavailable
			require.ErrorAs(t, err, &u)
			require.Equal(t, c.reason, u.Reason, "%v", err)
			require.GreaterOrEqual(t, u.RetryAfter, time.Second)
			require.Less(t, time.Since(start), 10*time.Second)
			require.Error(t, db.Ready(t.Context()))
		})
	}
}

// The caller's deadline is kept too: a function must answer before it is stopped.
func TestCallersDeadline(t *testing.T) {
	server := libsqltest.Start(t)
	proxy := libsqltest.NewProxy(t, server, func(int64) libsqltest.Fault { return libsqltest.Stall })
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := libsqltest.Open(t, proxy.URL).Insert(ctx, storetest.Records(0, 1))
	require.Error(t, err)
	require.Less(t, time.Since(start), 2*time.Second)
}

// A thousand batches through a connection that is cut once in ten requests, and a server that crashes
// twice, sent as an agent sends: every record is stored exactly once.
func TestThousandBatchesThroughFaults(t *testing.T) {
	server := libsqltest.Start(t)
	faults := []libsqltest.Fault{libsqltest.CutBefore, libsqltest.CutAfter, libsqltest.CutInside}
	proxy := libsqltest.NewProxy(t, server, func(n int64) libsqltest.Fault {
		if n%10 == 0 {
			return faults[n/10%3]
		}
		return libsqltest.None
	})
	const batches, size, writers = 1000, 5, 8
	var next, refused, crashes atomic.Int64
	var crash sync.Mutex
	var wg sync.WaitGroup
	for range writers {
		db := libsqltest.Open(t, proxy.URL)
		wg.Go(func() {
			for n := next.Add(1) - 1; n < batches; n = next.Add(1) - 1 {
				batch := make([]record.Record, size)
				for i := range batch {
					batch[i] = storetest.Record(int(n)*size + i)
				}
				for {
					if _, err := db.Insert(context.Background(), batch); err == nil {
						break
					}
					refused.Add(1)
					time.Sleep(10 * time.Millisecond)
				}
				if n == 300 || n == 600 {
					crash.Lock()
					server.Kill()
					server.Restart(t)
					crashes.Add(1)
					crash.Unlock()
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, int64(2), crashes.Load())
	require.Greater(t, proxy.Requests.Load(), int64(batches+batches/10), "there were faults")
	require.Equal(t, [][]string{{"5000", "5000"}}, server.Query(t, "SELECT count(*), count(DISTINCT correlation_id) FROM profiling_data"))
}
