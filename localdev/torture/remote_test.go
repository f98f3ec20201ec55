package torture

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
	"github.com/bitville/listener/shared/store/libsql/libsqltest"
)

// remote starts a listener that stores its records in a server, and so many agents.
func remote(t *testing.T, url string, n int) (*listenertest.Listener, *agents) {
	l := listenertest.New(t, binary, "")
	l.Start(t, "BITVILLE_DB_PATH=", "BITVILLE_DB_URL="+url)
	a := startAgents(t, l, n, 20*time.Millisecond)
	a.waitForMore(t, 50)
	return l, a
}

// requireBack waits until records are acknowledged again.
func requireBack(t *testing.T, a *agents, after string) {
	t.Helper()
	before := a.count()
	require.Eventually(t, func() bool { return a.count() > before }, 5*time.Second, time.Millisecond, "after %s", after)
}

// A server that is killed, slow, or answers nonsense: what was acknowledged is stored, once, agents see nothing but 503
// meanwhile, and afterwards it goes on by itself.
func TestRemoteServer(t *testing.T) {
	server := libsqltest.Start(t)
	var fault atomic.Int64
	proxy := libsqltest.NewProxy(t, server, func(int64) libsqltest.Fault { return libsqltest.Fault(fault.Load()) })
	_, a := remote(t, proxy.URL, 4)
	lasts := time.Duration(times(1, 30)) * time.Second
	for name, f := range map[string]libsqltest.Fault{
		"slowness": libsqltest.Slow, "garbage": libsqltest.Garbage, "pages": libsqltest.HTML, "errors": libsqltest.Status500,
		"connections cut before": libsqltest.CutBefore, "connections cut after": libsqltest.CutAfter, "connections cut inside": libsqltest.CutInside,
	} {
		before := a.repeated.Load()
		fault.Store(int64(f))
		time.Sleep(lasts)
		fault.Store(int64(libsqltest.None))
		requireBack(t, a, name)
		if f != libsqltest.Slow {
			require.Greater(t, a.repeated.Load(), before, name)
		}
	}
	for range times(2, 20) {
		server.Kill()
		time.Sleep(500 * time.Millisecond)
		server.Restart(t)
		requireBack(t, a, "a crash")
	}
	a.stop()
	a.requireNames(t, server.Query(t, "SELECT name FROM profiling_data"))
	t.Logf("%d records acknowledged, %d requests sent again", a.count(), a.repeated.Load())
}

// A server that says nothing any more: an agent is told 503 within 10 s, as often as it asks. Records are taken again within
// 5 s also when it asked just before the end of that: its request to the server stays without an answer.
func TestRemoteStall(t *testing.T) {
	server := libsqltest.Start(t)
	var fault atomic.Int64
	proxy := libsqltest.NewProxy(t, server, func(int64) libsqltest.Fault { return libsqltest.Fault(fault.Load()) })
	_, a := remote(t, proxy.URL, 1)
	fault.Store(int64(libsqltest.Stall))
	for began := time.Now(); ; {
		refused := a.repeated.Load()
		require.Eventually(t, func() bool { return a.repeated.Load() > refused }, 10*time.Second, time.Millisecond, "a 503 comes in time")
		if time.Since(began) > time.Duration(times(3, 30))*time.Second {
			break
		}
	}
	asked := proxy.Requests.Load()
	require.Eventually(t, func() bool { return proxy.Requests.Load() > asked }, 5*time.Second, time.Millisecond)
	fault.Store(int64(libsqltest.None))
	requireBack(t, a, "a stall")
	a.stop()
	a.requireNames(t, server.Query(t, "SELECT name FROM profiling_data"))
}
