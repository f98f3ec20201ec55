package torture

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
)

// Under a load that does not end nothing grows once records expire as fast as they come: in the second half of the time no
// figure is above what it was in the first, but for what is noise.
func TestSoak(t *testing.T) {
	const retention = time.Minute
	lasts, age, slack := 20*time.Second, retention-3*time.Second, 2.0
	if *long {
		lasts, age, slack = 10*time.Minute, 0, 1.25
	}
	l := listenertest.New(t, binary, "")
	l.Start(t, "BITVILLE_RETENTION="+retention.String(), "BITVILLE_METRICS_ADDR=127.0.0.1:0")
	var serving struct{ Addr string }
	require.True(t, l.Log.Find("serving metrics", &serving))
	a := newAgents(t, l, 10*time.Millisecond)
	a.age = age                          // the short form's records expire three seconds after they are sent
	a.failures = func(string, ...any) {} // a record that waits for longer than it is kept is refused
	a.start(t, 16)
	figures := make(map[string][]float64)
	for end := time.Now().Add(lasts); time.Now().Before(end); time.Sleep(lasts / 100) {
		figures["resident memory, bytes"] = append(figures["resident memory, bytes"], resident(t, l.Cmd.Process.Pid))
		descriptors, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", l.Cmd.Process.Pid))
		require.NoError(t, err)
		figures["descriptors"] = append(figures["descriptors"], float64(len(descriptors)))
		figures["goroutines"] = append(figures["goroutines"], metric(t, l, serving.Addr, "go_goroutines"))
		for suffix, name := range map[string]string{"": "database, bytes", "-wal": "WAL, bytes"} {
			info, err := os.Stat(l.DBPath + suffix)
			require.NoError(t, err)
			figures[name] = append(figures[name], float64(info.Size()))
		}
	}
	a.stop()
	for name, f := range figures {
		first, second := f[len(f)/4:len(f)/2], f[len(f)/2:]
		t.Logf("%s: at most %.0f in the second quarter, %.0f in the second half", name, slices.Max(first), slices.Max(second))
		require.LessOrEqual(t, slices.Max(second), slices.Max(first)*slack, name)
	}
	require.Greater(t, a.count(), 1000)
}

func resident(t *testing.T, pid int) float64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	found := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindStringSubmatch(string(status))
	require.NotNil(t, found)
	kib, err := strconv.ParseFloat(found[1], 64)
	require.NoError(t, err)
	return kib * 1024
}

func metric(t *testing.T, l *listenertest.Listener, addr, name string) float64 {
	t.Helper()
	response, err := l.Client.Get("http://" + addr + "/metrics")
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	found := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(text)
	require.NotNil(t, found, name)
	value, err := strconv.ParseFloat(string(found[1]), 64)
	require.NoError(t, err)
	return value
}
