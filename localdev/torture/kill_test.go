package torture

import (
	"math/rand/v2"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
)

// A process that is killed at any moment has kept what it acknowledged, once, and listens again at once.
func TestKilledProcessLosesNothing(t *testing.T) {
	for n := range times(1, 40) {
		t.Run(strconv.Itoa(n), kill25)
	}
}

func kill25(t *testing.T) {
	l := listenertest.New(t, binary, "")
	l.Start(t)
	a := startAgents(t, l, 8, 10*time.Millisecond)
	var slowest time.Duration
	for range 25 {
		a.waitForMore(t, 50)
		time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
		require.Error(t, l.Stop(syscall.SIGKILL))
		start := time.Now()
		l.Start(t)
		slowest = max(slowest, time.Since(start))
		a.requireStored(t)
	}
	a.waitForMore(t, 50)
	a.stop()
	require.Positive(t, a.repeated.Load(), "no request met a killed process: the test proves nothing")
	a.requireStored(t)
	t.Logf("%d records acknowledged, %d requests sent again, listening again within %s", a.count(), a.repeated.Load(), slowest)
}
