package torture

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

// agents send records, one alone or some in a batch, and send again what was not acknowledged. They are told nothing
// but what the listener answers.
type agents struct {
	listener *listenertest.Listener
	failures func(format string, args ...any)
	pause    time.Duration // of each agent between two requests
	age      time.Duration // of the records when they are sent

	between      sync.RWMutex // held for reading while a request is under way
	mu           sync.Mutex
	acknowledged map[int]moment  // by the number of the record
	took         []time.Duration // what answers took, those of 200
	repeated     atomic.Int64    // requests that were not acknowledged, and sent again
	next         atomic.Int64
	stopped      atomic.Bool
	running      sync.WaitGroup
}

// moment is when an agent was told that a record is stored.
type moment struct {
	at    time.Time
	trace int64 // bytes of it, see power_test.go
}

// startAgents starts so many, each of which waits between two requests.
func startAgents(t testing.TB, l *listenertest.Listener, n int, pause time.Duration) *agents {
	a := newAgents(t, l, pause)
	a.start(t, n)
	return a
}

func newAgents(t testing.TB, l *listenertest.Listener, pause time.Duration) *agents {
	return &agents{listener: l, failures: t.Errorf, pause: pause, acknowledged: make(map[int]moment)}
}

// start starts so many. They end with the test.
func (a *agents) start(t testing.TB, n int) {
	for i := range n {
		size := 1 + 19*(i%2)
		a.running.Go(func() {
			for !a.stopped.Load() {
				a.send(size)
				time.Sleep(a.pause)
			}
		})
	}
	t.Cleanup(a.stop)
}

// stop lets every agent end what it has begun, and drops what was not acknowledged by then.
func (a *agents) stop() {
	a.stopped.Store(true)
	a.running.Wait()
}

// send sends so many new records in one request, until they are acknowledged.
func (a *agents) send(size int) {
	last := int(a.next.Add(int64(size)))
	records := make([]string, size)
	for i := range records {
		records[i] = phpRecordAt(last-i, time.Now().Add(-a.age))
	}
	body := records[0]
	if size > 1 {
		body = "[" + strings.Join(records, ",") + "]"
	}
	for !a.stopped.Load() {
		a.between.RLock()
		sent := time.Now()
		status, header, answer := a.listener.Do("POST", "/ingest/php", strings.NewReader(body))
		a.between.RUnlock()
		var said struct {
			Accepted, Duplicates int
			Rejected             []any
		}
		switch {
		case status == 200:
			if json.Unmarshal([]byte(answer), &said) != nil || said.Accepted+said.Duplicates != size || len(said.Rejected) > 0 {
				a.failures("records up to %d: %s", last, answer)
				return
			}
			now := moment{at: time.Now()}
			if info, err := os.Stat(traceOf(a.listener)); err == nil {
				now.trace = info.Size()
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			a.took = append(a.took, now.at.Sub(sent))
			for i := range records {
				a.acknowledged[last-i] = now
			}
			return
		case status == 503 && header.Get("Retry-After") == "":
			a.failures("a 503 says when to come again: %v %s", header, answer)
			return
		case status != 503 && status != 0:
			a.failures("records up to %d: %d %s", last, status, answer)
			return
		}
		a.repeated.Add(1)
		time.Sleep(time.Duration(5+rand.IntN(20)) * time.Millisecond) // less than Retry-After asks for, which would take minutes
	}
}

// count returns how many records are acknowledged.
func (a *agents) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.acknowledged)
}

// p99 is what 99 of 100 answers took at most since it was last called.
func (a *agents) p99() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	took := slices.Sorted(slices.Values(a.took))
	a.took = nil
	if len(took) == 0 {
		return 0
	}
	return took[len(took)*99/100]
}

// waitForMore waits until so many more are.
func (a *agents) waitForMore(t testing.TB, n int) {
	t.Helper()
	before := a.count()
	require.Eventually(t, func() bool { return a.count() >= before+n }, 30*time.Second, time.Millisecond, "the log:\n%s", a.listener.Log)
}

// requireStored holds the database against what was acknowledged: all of that is stored, nothing twice, and the file is
// whole. No agent sends meanwhile.
func (a *agents) requireStored(t testing.TB) {
	t.Helper()
	a.between.Lock()
	defer a.between.Unlock()
	require.Equal(t, [][]string{{"ok"}}, sqlitetest.Query(t, a.listener.DBPath, "PRAGMA integrity_check"))
	a.requireNames(t, sqlitetest.Query(t, a.listener.DBPath, "SELECT name FROM profiling_data"))
}

// requireNames holds the names of the stored records against what was acknowledged.
func (a *agents) requireNames(t testing.TB, names [][]string) {
	t.Helper()
	a.mu.Lock()
	acknowledged := maps.Clone(a.acknowledged)
	a.mu.Unlock()
	stored := make(map[string]int)
	for _, row := range names {
		stored[row[0]]++
		require.Equal(t, 1, stored[row[0]], "%s is stored twice", row[0])
	}
	for n := range acknowledged {
		require.Equal(t, 1, stored[fmt.Sprint("/page/", n)], "record %d was acknowledged and is lost", n)
	}
}

// phpRecordAt is the n-th of many different records.
func phpRecordAt(n int, at time.Time) string {
	return fmt.Sprintf(`{"project":"shop","correlation_id":"00000000-0000-4000-8000-%012x","timestamp":%d,"duration_ms":1,"request_uri":"/page/%d","profiling_data":{"main()":{"wt":%d}}}`,
		n, at.Unix(), n, n)
}

var began = time.Now()

// body is the same record for the same number.
func body(n int) *strings.Reader { return strings.NewReader(phpRecordAt(n, began)) }
