package udp

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
	"github.com/bitville/listener/shared/store/storetest"
)

// moody is a store that refuses, or does not answer, while it is in the mood.
type moody struct {
	Store          // nil: one that takes everything
	refuses, hangs atomic.Bool
	tries          atomic.Int64
}

var errMood = &store.Unavailable{Reason: "the store is in no mood", Err: errors.New("cause")}

func (m *moody) Insert(ctx context.Context, records []record.Record) (store.Result, error) {
	m.tries.Add(1)
	for m.hangs.Load() {
		select {
		case <-ctx.Done():
			return store.Result{}, errMood
		case <-time.After(time.Millisecond):
		}
	}
	if m.refuses.Load() {
		return store.Result{}, errMood
	}
	if m.Store == nil {
		return store.Result{Accepted: len(records)}, nil
	}
	return m.Store.Insert(ctx, records)
}

func TestRefusedIsTriedAgain(t *testing.T) {
	db, path := sqlitetest.New(t)
	mood := &moody{Store: db}
	mood.refuses.Store(true)
	cfg := config(mood)
	became := watched(&cfg)
	client, _ := start(t, cfg)

	const n = 3 * readAhead
	var want [][]string
	for i := range n {
		datagram := valid(i)
		if i%2 == 1 {
			datagram = sign(newKey, line("php", "my_shop"), gzipped(t, text("my_shop", i)))
		}
		send(t, client, datagram)
		want = append(want, []string{fmt.Sprintf(`{"main()":{"wt":%d}}`, i), `{"extra":[1,2.50]}`})
	}
	require.Eventually(t, func() bool { return mood.tries.Load() >= 4 }, 20*time.Second, time.Millisecond)
	require.Zero(t, became.all())
	mood.refuses.Store(false)
	became.requireAll(t, n)
	require.Equal(t, n, became.accepted())
	require.Equal(t, want, sqlitetest.Query(t, path, "SELECT payload, attributes FROM profiling_data ORDER BY correlation_id"),
		"what waits is not overwritten by what comes")
}

// readAhead is as many datagrams as are read at one time, at most.
const readAhead = 32

// bulky returns a record that takes so many bytes of the queue.
func bulky(bytes int64) record.Record {
	rec := storetest.Record(1)
	rec.Payload = nil
	rec.Payload = make([]byte, bytes-sizeOf(&rec))
	return rec
}

func TestQueueIsBounded(t *testing.T) {
	for _, c := range []struct {
		name       string
		rec        record.Record
		fit, batch int
	}{
		{"by number", bulky(1 << 10), maxQueued, maxBatch},
		{"by bytes", bulky(1 << 20), maxQueuedBytes >> 20, maxBatchBytes >> 20},
		{"whatever comes", bulky(maxBatchBytes + 1<<20), maxQueuedBytes / (maxBatchBytes + 1<<20), 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := Listen(config(nil))
			require.NoError(t, err)
			defer r.conn.Close()
			for range c.fit {
				require.NoError(t, r.put(c.rec))
			}
			require.Equal(t, QueueFull, r.put(c.rec))
			require.Equal(t, int64(c.fit)*sizeOf(&c.rec), r.queuedBytes.Load())
			groups, bytes := r.collect(<-r.queue)
			require.Equal(t, c.fit-c.batch, len(r.queue))
			require.Equal(t, int64(c.batch)*sizeOf(&c.rec), bytes)
			require.Len(t, groups[origin{c.rec.Source, c.rec.Project}], c.batch)
		})
	}
}

func TestFullQueue(t *testing.T) {
	mood := &moody{}
	mood.hangs.Store(true)
	cfg := config(mood)
	became := watched(&cfg)
	r, err := Listen(cfg)
	require.NoError(t, err)
	const fit = maxQueuedBytes >> 20
	for range fit {
		require.NoError(t, r.put(bulky(1<<20)))
	}
	run(t, r)
	client := dial(t, r)
	require.Eventually(t, func() bool { return mood.tries.Load() > 0 }, 20*time.Second, time.Millisecond)
	send(t, client, valid(1), valid(2))
	became.requireAll(t, 2)
	require.Equal(t, map[Reason]int{QueueFull: 2}, became.dropped, "what the store has not taken yet counts")
	mood.hangs.Store(false)
	became.requireAll(t, 2+fit)
	send(t, client, valid(3))
	became.requireAll(t, 2+fit+1)
	require.Equal(t, fit+1, became.accepted(), "there is room again")
}

func TestEndStoresWhatArrived(t *testing.T) {
	db, path := sqlitetest.New(t)
	cfg := config(db)
	became := watched(&cfg)
	client, stop := start(t, cfg)
	const n = 500
	for i := range n {
		send(t, client, valid(i))
	}
	stop()
	require.Equal(t, n, became.accepted())
	require.Equal(t, [][]string{{fmt.Sprint(n)}}, sqlitetest.Query(t, path, "SELECT count(*) FROM profiling_data"))
	_, err := client.Write([]byte(valid(n)))
	if err == nil {
		_, err = client.Write([]byte(valid(n)))
	}
	require.Error(t, err, "nobody listens any more")
}

// A store that fails holds the end up for a few seconds, and what it did not take is counted.
func TestEndWithAFailingStore(t *testing.T) {
	for name, mood := range map[string]*moody{"refuses": {}, "hangs": {}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // for they take seconds
			mood.refuses.Store(name == "refuses")
			mood.hangs.Store(name == "hangs")
			cfg := config(mood)
			became := watched(&cfg)
			client, stop := start(t, cfg)
			const n = 2*maxBatch + 10
			for i := range n {
				send(t, client, valid(i))
			}
			stop()
			require.Equal(t, map[Reason]int{NotStored: n}, became.dropped)
		})
	}
}

// Nothing of a flood is stored or answered, and all of it is counted, here or by the kernel.
func TestForgedFlood(t *testing.T) {
	db, path := sqlitetest.New(t)
	cfg := config(db)
	became := watched(&cfg)
	client, stop := start(t, cfg)
	forged := sign("forged-key-0123456789", line("php", "my_shop"), text("my_shop", 1))
	good := valid(2)
	const n = 20_000
	for range n {
		send(t, client, forged)
	}
	require.Eventually(t, func() bool {
		send(t, client, good) // a duplicate from the second time on
		return became.accepted() == 1
	}, 20*time.Second, 10*time.Millisecond)
	requireSilence(t, client)
	stop()
	forgeries := became.drops(BadMAC)
	require.Positive(t, forgeries)
	require.LessOrEqual(t, forgeries, n)
	require.GreaterOrEqual(t, forgeries+became.drops(Kernel), n) // a good one may have found no room too
	require.Equal(t, [][]string{{"/page/2"}}, sqlitetest.Query(t, path, "SELECT name FROM profiling_data"))
}
