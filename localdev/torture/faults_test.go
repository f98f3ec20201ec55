package torture

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
	"github.com/bitville/listener/shared/store/sqlite/faultvfs"
)

// each kind of fault that the file system of a running listener can have.
var each = []faultvfs.Fault{
	{Op: "write", Error: "EIO"}, {Op: "write", Error: "ENOSPC"}, {Op: "write", Error: "SHORT"},
	{Op: "sync", Error: "EIO"}, {Op: "sync", Error: "ENOSPC"},
	{Op: "truncate", Error: "EIO"},
}

// A file system that fails, once or for a while, costs nothing that was acknowledged: what cannot be stored is refused
// with a 503, the process lives, and it takes records again by itself.
func TestFaults(t *testing.T) {
	for _, synchronous := range []string{"NORMAL", "FULL"} {
		t.Run(synchronous, func(t *testing.T) {
			l := listenertest.New(t, binary, "")
			faults := filepath.Join(filepath.Dir(l.DBPath), "faults")
			l.Start(t, "TORTURE_FAULTS="+faults, "BITVILLE_DB_SYNCHRONOUS="+synchronous)
			a := startAgents(t, l, 4, 50*time.Millisecond)
			for n := range times(18, 500) {
				f := each[n%len(each)]
				f.First, f.Times = 1+n/len(each), n/len(each)%3
				if *long {
					f.First = 1 + rand.IntN(1000)
				}
				before := faultvfs.Hits(faults)
				require.NoError(t, faultvfs.SetFault(faults, &f))
				require.Eventually(t, func() bool { return faultvfs.Hits(faults) > before }, 60*time.Second, time.Millisecond, "%+v is never met", f)
				if f.Times == 0 {
					requireRefused(t, a, f)
				}
				require.NoError(t, faultvfs.SetFault(faults, nil))
				now := a.count()
				require.Eventually(t, func() bool { return a.count() > now }, 5*time.Second, time.Millisecond, "after %+v:\n%s", f, l.Log)
			}
			a.stop()
			require.Positive(t, a.repeated.Load())
			require.NoError(t, l.Stop(syscall.SIGTERM))
			a.requireStored(t)
			t.Logf("%d records acknowledged, %d requests sent again, %d faults met", a.count(), a.repeated.Load(), faultvfs.Hits(faults))
		})
	}
}

// requireRefused waits until the listener refuses records, and says so to whoever asks whether it is ready.
func requireRefused(t *testing.T, a *agents, f faultvfs.Fault) {
	t.Helper()
	before := a.repeated.Load()
	require.Eventually(t, func() bool { return a.repeated.Load() > before }, 5*time.Second, time.Millisecond, "%+v", f)
	require.Eventually(t, func() bool {
		status, header, _ := a.listener.Do("GET", "/ready", nil)
		return status == 503 && header.Get("Retry-After") != ""
	}, 5*time.Second, 10*time.Millisecond, "%+v", f)
	status, _, answer := a.listener.Do("GET", "/health", nil)
	require.Equal(t, 200, status, answer)
}

// A listener that cannot open its files says so in one line and ends, whichever of them it is; the next start finds
// everything.
func TestFaultsAtStart(t *testing.T) {
	l := listenertest.New(t, binary, "")
	faults := filepath.Join(filepath.Dir(l.DBPath), "faults")
	l.Start(t)
	status, answer := l.Post(body(1))
	require.Equal(t, 200, status, answer)
	require.Error(t, l.Stop(os.Kill))
	failed := 0
	for _, op := range []string{"open", "write", "sync", "truncate"} {
		for first := 1; ; first++ {
			before := faultvfs.Hits(faults)
			require.NoError(t, faultvfs.SetFault(faults, &faultvfs.Fault{Op: op, First: first, Error: "EIO"}))
			l.Launch(t, "TORTURE_FAULTS="+faults)
			ended := false
			require.Eventually(t, func() bool {
				select {
				case <-l.Exit:
					ended = true
				default:
				}
				return ended || l.Log.Find("listening", &struct{}{})
			}, 10*time.Second, 5*time.Millisecond)
			require.NoError(t, faultvfs.SetFault(faults, nil))
			if ended {
				failed++
				require.Equal(t, 1, l.Cmd.ProcessState.ExitCode(), l.Log)
				require.Regexp(t, `^listener: open the database .* \(BITVILLE_DB_PATH\): [^\n]*\n$`, l.Log.String(), "%s %d", op, first)
			} else {
				require.NoError(t, l.Stop(syscall.SIGTERM), "%s %d: %s", op, first, l.Log)
			}
			if faultvfs.Hits(faults) == before {
				break // there are no more of them in a start
			}
		}
	}
	require.Positive(t, failed)
	l.Start(t)
	status, answer = l.Post(body(1))
	require.Equal(t, 200, status)
	require.Contains(t, answer, `"duplicates":1`)
	t.Logf("%d starts failed", failed)
}
