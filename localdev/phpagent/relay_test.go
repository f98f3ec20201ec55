package phpagent

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

// relayProcess is the built program as a relay.
type relayProcess struct {
	addr, spool, state string
	env                []string
	cmd                *exec.Cmd
	log                *listenertest.Log
	ended              chan error
}

// newRelay returns one that start starts. env adds settings or replaces the test's.
func newRelay(t testing.TB, l *listenertest.Listener, env ...string) *relayProcess {
	t.Helper()
	r := &relayProcess{addr: freeUDP(t), spool: t.TempDir(), state: filepath.Join(t.TempDir(), "state")}
	r.env = append([]string{"BITVILLE_URL=" + l.URL, "BITVILLE_CA_PATH=" + l.CAFile, "BITVILLE_PROJECT=shop", "BITVILLE_API_KEY=" + listenertest.Key,
		"BITVILLE_LOG_FORMAT=json", "BITVILLE_FLUSH_INTERVAL=50ms"}, env...)
	return r
}

// start starts the relay, also one that has ended, and waits until it is ready. It must end well when the test ends.
func (r *relayProcess) start(t testing.TB) {
	t.Helper()
	r.cmd = exec.Command(binary, "agent", "relay", "--state-dir", r.state, "--spool", r.spool, "--listen", r.addr)
	r.cmd.Env, r.log = r.env, &listenertest.Log{}
	r.cmd.Stderr = r.log
	cmd, ended := r.cmd, make(chan error, 1)
	r.ended = ended
	require.NoError(t, cmd.Start())
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	require.Eventually(t, func() bool { return r.log.Find("ready", &struct{}{}) }, 20*time.Second, 5*time.Millisecond, "the relay did not start:\n%s", r.log)
}

// stop sends a signal and returns how the relay ended.
func (r *relayProcess) stop(t testing.TB, signal os.Signal) error {
	t.Helper()
	require.NoError(t, r.cmd.Process.Signal(signal))
	select {
	case err := <-r.ended:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("the relay did not end within 10 s")
		return nil
	}
}

// isEmpty tells whether nothing waits in the relay's folders.
func (r *relayProcess) isEmpty(t testing.TB) bool {
	t.Helper()
	for _, dir := range []string{r.spool, filepath.Join(r.state, "spool")} {
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		if len(entries) > 0 {
			return false
		}
	}
	return true
}

// TestRelay: pages under FPM leave their records with a relay, which brings each of them to the listener, once, while the listener
// and the relay itself are killed and started anew. Datagrams that come while there is no relay are lost; files never are.
func TestRelay(t *testing.T) {
	requireTools(t)
	for _, c := range []struct {
		name, url string
		kill      bool // the relay too
	}{{"datagrams", "udp://", false}, {"files", "file://", true}} {
		t.Run(c.name, func(t *testing.T) {
			l := startListener(t)
			r := newRelay(t, l)
			r.start(t)
			url := c.url + r.addr
			if c.url == "file://" {
				url = c.url + r.spool
			}
			s := (&site{workers: 3, code: `usleep(1000); echo Bitville\id();`, env: map[string]string{"BITVILLE_URL": url, "BITVILLE_PROFILER": "excimer"}}).start(t)
			const pages = 300
			ids := make(map[string]bool)
			ask := func(n int) {
				for range n {
					ids[s.get(t, "/product/7").body] = true
				}
			}
			ask(pages / 3)
			require.Error(t, l.Stop(syscall.SIGKILL))
			ask(pages / 3)
			require.Eventually(t, func() bool { return r.log.Find("listener unreachable", &struct{}{}) }, 10*time.Second, 10*time.Millisecond)
			if c.kill {
				require.Error(t, r.stop(t, syscall.SIGKILL))
			}
			var visitors sync.WaitGroup
			visitors.Go(func() { ask(pages / 3) })
			l.Start(t)
			if c.kill {
				r.start(t)
			}
			visitors.Wait()
			require.Len(t, ids, pages)
			require.Eventually(t, func() bool {
				return sqlitetest.Query(t, l.DBPath, "SELECT count(*) FROM profiling_data")[0][0] == fmt.Sprint(pages)
			}, 40*time.Second, 20*time.Millisecond, "the relay's log:\n%s", r.log)
			for _, row := range sqlitetest.Query(t, l.DBPath, "SELECT correlation_id, project, source, name, attributes ->> 'profiler' FROM profiling_data") {
				require.True(t, ids[row[0]], row[0])
				require.Equal(t, []string{"shop", "php_agent", "/product/7", "excimer"}, row[1:])
			}
			require.Eventually(t, func() bool { return r.isEmpty(t) }, 10*time.Second, 10*time.Millisecond)
			require.NoError(t, r.stop(t, syscall.SIGTERM))
			rejected, err := os.ReadDir(filepath.Join(r.state, "rejected"))
			require.NoError(t, err)
			require.Empty(t, rejected)
			s.requireNoCrash(t)
		})
	}
}

// TestRelayIsWatched: its metrics have the records' way, and a project without a key, a forged datagram and the listener's refusals are
// told.
func TestRelayIsWatched(t *testing.T) {
	requireTools(t)
	l := startListener(t)
	metrics := freeTCP(t)
	r := newRelay(t, l, "BITVILLE_METRICS_ADDR="+metrics)
	r.start(t)
	page := script{env: map[string]string{"BITVILLE_URL": "udp://" + r.addr, "BITVILLE_PROJECT": "shop"}}
	send := func(env ...string) {
		for i := 0; i < len(env); i += 2 {
			page.env[env[i]] = env[i+1]
		}
		_, _, err := page.run(t)
		require.NoError(t, err)
	}
	send()
	stored(t, l, 1, "id")
	send("BITVILLE_API_KEY", "another-key-0123456789")
	send("BITVILLE_PROJECT", "unknown")
	require.NoError(t, os.WriteFile(filepath.Join(r.spool, "a.php.ndjson"), []byte(`{"project":"shop","correlation_id":"7"}`+"\n"), 0o660))
	series := func() string {
		resp, err := http.Get("http://" + metrics + "/metrics")
		require.NoError(t, err)
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return string(text)
	}
	for _, want := range []string{
		`bitville_agent_records_read_total 2`, `bitville_agent_records_sent_total{answer="accepted"} 1`, `bitville_agent_records_sent_total{answer="rejected"} 1`,
		`bitville_agent_records_sent_total{answer="duplicate"} 0`, `bitville_agent_records_dropped_total{reason="bad_mac"} 1`, `bitville_agent_records_dropped_total{reason="unknown_project"} 1`,
		`bitville_agent_posts_total{status="200"} 1`, `bitville_agent_posts_total{status="400"} 1`, `bitville_agent_spool_bytes 8192`, `bitville_agent_log_behind_bytes 0`, `bitville_agent_up 1`,
	} {
		require.Eventually(t, func() bool { return strings.Contains(series(), "\n"+want+"\n") }, 10*time.Second, 20*time.Millisecond, "%s in\n%s", want, series())
	}
	var said struct {
		Level, Error, File string
		Status, Records    int
	}
	require.True(t, r.log.Find("records rejected", &said))
	require.Equal(t, "ERROR", said.Level)
	require.Equal(t, []int{400, 1}, []int{said.Status, said.Records})
	require.Contains(t, said.Error, "Validation failed")
	why, err := os.ReadFile(said.File + ".error")
	require.NoError(t, err)
	require.Regexp(t, regexp.MustCompile(`(?s)^400 Bad Request\n\{"error":"Validation failed".*"path":"correlation_id"`), string(why))
	http.DefaultClient.CloseIdleConnections()
	require.NoError(t, r.stop(t, syscall.SIGTERM))
	require.Equal(t, 2, strings.Count(r.log.String(), `"msg":"records dropped"`), r.log)
}
