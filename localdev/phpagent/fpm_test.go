package phpagent

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestPagesUnderFPM asks for 1,000 pages, half of them sampled: each of those arrives at a listener with its profile,
// and all of its statements with their plans are in Postgres's log under its id. The others leave nothing anywhere.
func TestPagesUnderFPM(t *testing.T) {
	requireTools(t)
	pg := startPostgres(t)
	bouncer := pg.startPgBouncer(t)
	for _, c := range []struct{ name, dsn, pgbouncer, profiler string }{
		{"direct", "pgsql:host=" + pg.Dir + ";dbname=postgres;user=app", "0", "excimer"},
		{"PgBouncer", "pgsql:host=" + bouncer + ";port=6432;user=x;dbname=app", "1", "tideways_xhprof"},
	} {
		t.Run(c.name, func(t *testing.T) {
			udp := freeUDP(t)
			l := startListener(t, "BITVILLE_UDP_ADDR="+udp)
			s := (&site{workers: 4, code: fmt.Sprintf(`
				function shop(PDO $db) { $s = $db->prepare('SELECT name FROM products WHERE id = ?'); for ($i = 1; $i < 4; $i++) $s->execute([$i]); }
				$db = new Bitville\PDO(%q, options: [PDO::ATTR_EMULATE_PREPARES => true]);
				$db->query('SELECT stock(3)')->fetchAll(); shop($db); $db->beginTransaction(); $db->exec('UPDATE products SET name = name WHERE id = 1'); $db->commit();
				usleep(12_000); echo Bitville\sampled() ? 'sampled' : 'not';`, c.dsn),
				env: map[string]string{
					"BITVILLE_URL": "udp://" + udp, "BITVILLE_SAMPLE_RATE": "0.5", "BITVILLE_SLOW_MS": "-1", "BITVILLE_PGBOUNCER": c.pgbouncer,
					"BITVILLE_PROFILER": strings.TrimPrefix(c.profiler, "tideways_"),
				}}).start(t)
			before := len(pg.plans(t))
			var mu sync.Mutex
			var visitors sync.WaitGroup
			sampled, others := map[string]bool{}, 0
			for range 4 {
				visitors.Go(func() {
					for range 250 {
						p := s.get(t, "/product/7?token=x")
						mu.Lock()
						switch p.body {
						case "sampled":
							sampled[p.header.Get("X-Correlation-Id")] = true
						case "not":
							others++
						default:
							t.Errorf("page: %d %s", p.status, p.body)
						}
						mu.Unlock()
					}
				})
			}
			visitors.Wait()
			require.Greater(t, len(sampled), 400)
			require.Equal(t, 1000, len(sampled)+others)

			for _, row := range stored(t, l, len(sampled), "correlation_id, name, attributes ->> 'profiler', attributes ->> 'queries', attributes ->> 'status', length(payload) > 30") {
				require.True(t, sampled[row[0]], row[0])
				require.Equal(t, []string{"/product/7?token=", c.profiler, "5", "200", "1"}, row[1:])
			}
			queries := map[string]int{}
			for _, p := range pg.plans(t)[before:] {
				require.True(t, sampled[p.AppName], p.AppName)
				if !p.Nested {
					require.Equal(t, p.AppName, p.ID)
					queries[p.ID]++
				}
			}
			require.Len(t, queries, len(sampled))
			for id, n := range queries {
				require.Equal(t, 5, n, id)
			}
			s.requireNoCrash(t)
		})
	}
}

func TestAnsweredHeaders(t *testing.T) {
	requireTools(t)
	s := (&site{code: `echo Bitville\traceparent();`, env: map[string]string{"BITVILLE_SAMPLE_RATE": "0", "BITVILLE_SERVER_TIMING": "1"}}).start(t)
	const id, hex = "5e1f2b6c-0a4d-4c1e-9b7a-3f1d2c4b5a69", "5e1f2b6c0a4d4c1e9b7a3f1d2c4b5a69"
	for _, header := range [][]string{{"Traceparent", "00-" + hex + "-00f067aa0ba902b7-01"}, {"X-Correlation-Id", id}} {
		p := s.get(t, "/", header...)
		require.Equal(t, id, p.header.Get("X-Correlation-Id"))
		require.Regexp(t, "^00-"+hex+"-[0-9a-f]{16}-00$", p.body)
		require.Equal(t, `traceparent;desc="`+p.body+`"`, p.header.Get("Server-Timing"))
	}
	plain := (&site{code: `echo Bitville\id();`, env: map[string]string{"BITVILLE_SAMPLE_RATE": "0"}}).start(t)
	require.Empty(t, plain.get(t, "/").header.Get("Server-Timing"))
	require.NotEqual(t, plain.get(t, "/").body, plain.get(t, "/").body)
}

// TestSamePageUnderFPM: what the visitor gets is what he gets without the agent.
func TestSamePageUnderFPM(t *testing.T) {
	requireTools(t)
	spool := t.TempDir()
	with := (&site{env: map[string]string{"BITVILLE_URL": "file://" + spool, "BITVILLE_PROFILER": "excimer"}}).start(t)
	bare := (&site{bare: true}).start(t)
	for i, c := range []struct {
		name, code, want string
		status           int
	}{
		{"text", `echo 'page';`, "page", 200},
		{"a status", `http_response_code(418); echo 'page';`, "page", 418},
		{"buffers", `ob_start(fn ($t) => strtoupper($t)); ob_start(); echo 'page';`, "PAGE", 200},
		{"zlib", `ini_set('zlib.output_compression', '1'); echo 'page';`, "page", 200},
		{"a length", `header('Content-Length: 4'); echo 'page';`, "page", 200},
		{"much", `echo str_repeat('page', 1 << 20);`, "page", 200},
		{"flushed early", `echo 'p'; ob_get_level() && ob_end_flush(); flush(); usleep(10_000); echo 'age';`, "page", 200},
		{"finished by itself", `echo 'page'; fastcgi_finish_request(); echo 'lost';`, "page", 200},
		{"exit", `echo 'page'; exit(1);`, "page", 200},
		{"a shutdown function", `register_shutdown_function(fn () => register_shutdown_function(fn () => print 'e')); echo 'pag';`, "page", 200},
		{"destructors", `class A { static $a; function __destruct() { echo 'e'; } } $b = new A(); A::$a = new A(); echo 'pag';`, "pagee", 200},
		{"a fatal error", `echo 'page'; nowhere();`, "Call to undefined function nowhere()", 200},
		{"a fatal error that is not displayed", `ini_set('display_errors', '0'); nowhere();`, "", 500},
		{"a session", `session_start(); $_SESSION['n'] = ($_SESSION['n'] ?? 0) + 1; echo $_SESSION['n'];`, "1", 200},
		{"a redirect", `header('Location: /'); exit;`, "", 302},
		{"headers taken away", `header_remove(); echo 'page';`, "page", 200},
		{"a callback of headers", `header_register_callback(fn () => header('X-Late: 1')); echo 'page';`, "page", 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			normal := func(s *site) page {
				s.setPage(t, c.code)
				time.Sleep(10 * time.Millisecond)
				p := s.get(t, "/")
				for _, own := range []string{"X-Correlation-Id", "Date", "Set-Cookie"} {
					p.header.Del(own)
				}
				p.body = strings.ReplaceAll(p.body, s.dir, "")
				return p
			}
			want, got := normal(bare), normal(with)
			require.Equal(t, want, got)
			require.Equal(t, c.status, got.status)
			require.Contains(t, got.body, c.want)
			require.Eventually(t, func() bool { files, _ := os.ReadDir(spool); return len(files) == i+1 }, 5*time.Second, 5*time.Millisecond)
		})
	}
	with.requireNoCrash(t)
	for _, r := range spooled(t, spool) {
		require.Equal(t, "excimer", r["profiler"])
		require.Equal(t, "GET", r["method"])
	}
}

// TestVisitorWaitsForNobody: he has his page, and may ask for the next one in the same session, while the agent still
// waits for the listener's answer.
func TestVisitorWaitsForNobody(t *testing.T) {
	requireTools(t)
	hasPages, asked := make(chan struct{}), make(chan struct{}, 10)
	defer close(hasPages)
	srv := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		asked <- struct{}{}
		select {
		case <-hasPages:
		case <-r.Context().Done():
			t.Error("the agent gave up before the visitor had his pages")
		}
	}))
	s := (&site{workers: 2, code: `session_start(); echo 'page';`, env: map[string]string{
		"BITVILLE_URL": srv.URL, "BITVILLE_CA_PATH": certificate(t, srv), "BITVILLE_TIMEOUT_MS": "8000", "TMPDIR": t.TempDir(),
	}, ini: []string{"sys_temp_dir=" + t.TempDir()}}).start(t)
	for range 2 {
		require.Equal(t, "page", s.get(t, "/", "Cookie", "PHPSESSID=abc").body)
		select {
		case <-asked:
		case <-time.After(10 * time.Second):
			t.Fatal("nothing was sent")
		}
	}
}

// TestKeptConnection: a worker keeps its connection, makes a new one when the listener has closed it, and loses no
// record over that.
func TestKeptConnection(t *testing.T) {
	requireTools(t)
	var conns, requests atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		requests.Add(1)
		fmt.Fprint(w, `{"accepted":1}`)
	}))
	srv.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	srv.StartTLS()
	s := (&site{code: `echo 'page';`, env: map[string]string{"BITVILLE_URL": srv.URL, "BITVILLE_CA_PATH": certificate(t, srv), "BITVILLE_TIMEOUT_MS": "5000"}, ini: []string{"sys_temp_dir=" + t.TempDir()}}).start(t)
	n := int32(0)
	get := func() {
		s.get(t, "/")
		n++
		require.Eventually(t, func() bool { return requests.Load() == n }, 5*time.Second, time.Millisecond)
	}
	for range 20 {
		get()
	}
	require.EqualValues(t, 1, conns.Load())
	srv.CloseClientConnections()
	for range 20 {
		get()
	}
	require.EqualValues(t, 2, conns.Load())
	s.requireNoCrash(t)
}

// TestRestartedListener: the listener ends and comes back; what is sent while it is there arrives once.
func TestRestartedListener(t *testing.T) {
	requireTools(t)
	l := startListener(t)
	s := (&site{code: `echo 'page';`, env: map[string]string{"BITVILLE_URL": l.URL, "BITVILLE_CA_PATH": l.CAFile, "BITVILLE_BREAKER_S": "0", "BITVILLE_TIMEOUT_MS": "5000"}}).start(t)
	for range 5 {
		s.get(t, "/")
	}
	stored(t, l, 5, "id")
	require.NoError(t, l.Stop(os.Interrupt))
	for range 3 {
		require.Equal(t, "page", s.get(t, "/").body)
	}
	s.get(t, "/") // the worker has sent, or not, what came before
	l.Start(t)
	for range 5 {
		s.get(t, "/")
	}
	stored(t, l, 10, "id")
}

// TestBreakerUnderFPM: the workers share the breaker, in APCu where it is and else in a file.
func TestBreakerUnderFPM(t *testing.T) {
	requireTools(t)
	for _, c := range []struct {
		name, apcu string
		files      int
	}{{"APCu", "1", 0}, {"a file", "0", 1}} {
		t.Run(c.name, func(t *testing.T) {
			var requests atomic.Int32
			srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				w.WriteHeader(503)
			}))
			tmp := t.TempDir()
			s := (&site{workers: 3, code: `echo 'page';`, ini: []string{"apc.enabled=" + c.apcu, "sys_temp_dir=" + tmp},
				env: map[string]string{"BITVILLE_URL": srv.URL, "BITVILLE_CA_PATH": certificate(t, srv), "BITVILLE_TIMEOUT_MS": "5000", "BITVILLE_BREAKER_S": "600"}}).start(t)
			s.get(t, "/")
			require.Eventually(t, func() bool { return requests.Load() == 1 }, 5*time.Second, time.Millisecond)
			for range 10 {
				time.Sleep(5 * time.Millisecond) // until the worker is through
				s.get(t, "/")
			}
			require.EqualValues(t, 1, requests.Load())
			files, err := os.ReadDir(tmp)
			require.NoError(t, err)
			require.Len(t, files, c.files)
		})
	}
}
