package functions_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/lambdahost/functiontest"
)

// usage is what a process holds.
type usage struct {
	files, sockets, threads int
	rss                     int // KB
}

func usageOf(t *testing.T, pid int) (u usage) {
	t.Helper()
	open, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	require.NoError(t, err)
	u.files = len(open)
	for _, file := range open {
		if target, _ := os.Readlink(file); strings.HasPrefix(target, "socket:") {
			u.sockets++
		}
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	for line := range bytes.Lines(status) {
		fields := strings.Fields(string(line))
		switch fields[0] {
		case "VmRSS:":
			u.rss, err = strconv.Atoi(fields[1])
			require.NoError(t, err)
		case "Threads:":
			u.threads, err = strconv.Atoi(fields[1])
			require.NoError(t, err)
		}
	}
	return u
}

// One process answers ten thousand events and holds no more after the last than after half of them. A goroutine
// that stays is 2 KB at the least: one an event would be 10 MB.
func TestNoGrowth(t *testing.T) {
	for _, c := range []struct {
		name   string
		baton  bool
		events int
	}{
		{"server that keeps no streams", false, 2_000},
		{"server that keeps streams", true, 10_000}, // the driver closes each by a request of its own, in the background
	} {
		t.Run(c.name, func(t *testing.T) {
			events := c.events
			if testing.Short() {
				events = min(events, 2_000)
			}
			database := startStub(t, c.baton)
			f := start(t, "ingestphp", database.URL, "BITVILLE_LOG_LEVEL=error")
			var half usage
			begun := time.Now()
			for n := range events {
				want, body := http.StatusOK, phpRecord(n)
				switch n % 10 {
				case 7:
					want, body = http.StatusBadRequest, "{}"
				case 8:
					want, body = http.StatusBadRequest, `{"project"`
				case 9:
					body = "[" + strings.Repeat(body+",", 9) + body + "]"
				}
				res := post(t, f, body)
				require.Equal(t, want, res.StatusCode, "event %d", n)
				if n == events/2 {
					half = usageOf(t, f.PID())
				}
			}
			end := usageOf(t, f.PID())
			t.Logf("%d events in %s: %+v, then %+v", events, time.Since(begun).Round(time.Millisecond), half, end)
			require.Equal(t, 1, f.Starts())
			require.InDelta(t, events*8/10, database.executed.Load(), 20, "refusals are written every ten seconds")
			require.InDelta(t, half.sockets, end.sockets, 2)
			require.InDelta(t, half.files, end.files, 2)
			require.InDelta(t, half.threads, end.threads, 3)
			require.Less(t, end.rss-half.rss, 4<<10)
			require.Less(t, end.rss, 64<<10)
		})
	}
}

// The driver closes a stream of the server after the reply is on its way, so that the request for it is often
// cut by the freeze. Such requests neither hinder the next event nor pile up.
func TestFrozenStreams(t *testing.T) {
	database := startStub(t, true)
	cfg := config("ingestphp", database.URL)
	cfg.Freeze = true
	f := functiontest.Start(t, cfg)
	for n := range 500 {
		requireAccepted(t, 1, post(t, f, phpRecord(n)))
	}
	require.True(t, f.Idle())
	require.Less(t, usageOf(t, f.PID()).sockets, 10)
	require.Greater(t, database.closed.Load(), int64(450))
}

// The runtime's freezing is real, or the tests of frozen functions prove nothing.
func TestFreezeStandsStill(t *testing.T) {
	f := functiontest.Start(t, functiontest.Config{Bootstrap: program("hello"), Freeze: true})
	for range 3 {
		require.True(t, f.Idle())
		require.Eventually(t, func() bool {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", f.PID()))
			return err == nil && strings.Contains(string(stat), ") T ")
		}, 5*time.Second, time.Millisecond)
		require.Equal(t, "Hello", text(t, send(t, f, "GET /", "")))
	}
}
