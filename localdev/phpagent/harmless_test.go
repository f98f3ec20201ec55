package phpagent

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestEndOfPage: however a page ends, it prints what it prints without the agent, ends with the same status, and its
// record is sent.
func TestEndOfPage(t *testing.T) {
	requireTools(t)
	for _, c := range []struct {
		name, code, want string
		lost             bool // the record
	}{
		{"the last line", `echo 'page';`, "page", false},
		{"exit", `echo 'page'; exit;`, "page", false},
		{"exit with a status", `echo 'page'; exit(3);`, "page", false},
		{"an exception", `echo 'page'; throw new Exception('theirs');`, "page", false},
		{"a fatal error", `echo 'page'; nowhere();`, "page", false},
		{"out of memory", `echo 'page'; ini_set('memory_limit', '8M'); $a = []; while (true) $a[] = str_repeat('x', 1000);`, "page", false},
		{"almost out of memory", `ini_set('memory_limit', '8M'); $a = str_repeat('x', 5_000_000); echo 'page';`, "page", false},
		{"a time limit", `echo 'page'; set_time_limit(1); while (true);`, "page", false},
		{"a shutdown function", `register_shutdown_function(fn () => print 'last'); echo 'page';`, "pagelast", false},
		{"a shutdown function of a shutdown function", `register_shutdown_function(fn () => register_shutdown_function(fn () =>
			register_shutdown_function(fn () => print 'last'))); echo 'page';`, "pagelast", false},
		{"exit in a shutdown function", `register_shutdown_function(fn () => exit('last')); echo 'page';`, "pagelast", false},
		{"a fatal error in a shutdown function", `register_shutdown_function(fn () => nowhere()); echo 'page';`, "page", false},
		{"an output buffer", `ob_start(fn ($text) => strtoupper($text)); echo 'page';`, "PAGE", false},
		{"the destructor of a global object", `class A { function __destruct() { echo 'last'; } } $a = new A(); echo 'page';`, "pagelast", false},
		{"the destructor of a static object", `class A { static $a; function __destruct() { echo 'last'; } } A::$a = new A(); echo 'page';`, "pagelast", false},
		{"included again", `include '` + mustAbs(t, agent) + `'; include_once '` + mustAbs(t, agent) + `'; echo 'page';`, "page", false},
		{"an error handler that throws", `set_error_handler(function ($n, $m) { throw new ErrorException($m); }); echo 'page';`, "page", false},
		{"error_get_last stays empty", `register_shutdown_function(fn () => register_shutdown_function(function () { echo json_encode(error_get_last()); }));`, "null", false},
		{"a page that has sent its headers", `echo str_repeat(' ', 10); flush(); echo 'page';`, "page", false},
		{"a fork", `if (($pid = pcntl_fork()) === 0) exit; pcntl_wait($pid); echo 'page';`, "page", false},
		{"no output", ``, "", false},
		{"its own memory limit", `ini_set('memory_limit', '77M'); class A { static $a; function __destruct() { echo ini_get('memory_limit'); } } A::$a = new A();`, "77M", false},
		{"killed", `echo 'page'; posix_kill(getmypid(), 9);`, "page", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, ini := range [][]string{{"opcache.enable_cli=0"}, {"opcache.enable_cli=1"}} {
				plain, _, plainErr := script{code: c.code, ini: append(ini, "auto_prepend_file=")}.run(t)
				out, records, err := script{code: c.code, ini: ini}.run(t)
				normal := func(text string) string { // line numbers and folders of a run
					lines := strings.Split(text, "\n")
					for i, line := range lines {
						lines[i], _, _ = strings.Cut(line, " in /")
					}
					return strings.Join(lines, "\n")
				}
				if c.name != "included again" { // which needs the agent's file
					require.Equal(t, normal(plain), normal(out))
					require.Equal(t, plainErr == nil, err == nil)
				}
				require.Contains(t, out, c.want)
				if plainErr != nil {
					require.EqualError(t, err, plainErr.Error())
				}
				if c.lost {
					require.Empty(t, records)
					continue
				}
				require.Len(t, records, 1, "%s", out)
			}
		})
	}
}

// TestCrippledPHP: what PHP lacks, the agent does without. It prints nothing in any case.
func TestCrippledPHP(t *testing.T) {
	requireTools(t)
	const page = `echo Bitville\sampled() ? 'sampled' : 'not', ' ', strlen(Bitville\id());`
	for _, c := range []struct {
		name string
		s    script
		want string // what the page prints
		sent bool
	}{
		{"no extensions", script{bare: true}, "sampled 36", true},
		{"no gzip", script{ini: []string{"disable_functions=gzencode"}}, "sampled 36", true},
		{"no getenv", script{ini: []string{"disable_functions=getenv"}}, "sampled 36", true},
		{"no error_log, ini_set, chmod", script{ini: []string{"disable_functions=error_log,ini_set,ini_get,posix_geteuid"}}, "sampled 36", true},
		{"no rename", script{ini: []string{"disable_functions=rename"}}, "sampled 36", false},
		{"no register_shutdown_function", script{ini: []string{"disable_functions=register_shutdown_function"}}, "not 36", false},
		{"no set_error_handler", script{ini: []string{"disable_functions=set_error_handler,restore_error_handler"}}, "not 36", false},
		{"no json_encode", script{ini: []string{"disable_functions=json_encode"}}, "sampled 36", false},
		{"no file_put_contents", script{ini: []string{"disable_functions=file_put_contents"}}, "sampled 36", false},
		{"no sockets", script{ini: []string{"disable_functions=stream_socket_client,fsockopen"}, env: map[string]string{"BITVILLE_URL": "udp://127.0.0.1:9"}}, "sampled 36", false},
		{"open_basedir", script{ini: []string{"open_basedir=/tmp:" + mustAbs(t, "../../infra")}, env: map[string]string{"BITVILLE_URL": "file:///var/spool"}}, "sampled 36", false},
		{"open_basedir and a key file", script{ini: []string{"open_basedir=/tmp:" + mustAbs(t, "../../infra")}, env: map[string]string{"BITVILLE_API_KEY": "", "BITVILLE_API_KEY_FILE": "/etc/passwd"}}, "not 36", false},
		{"a folder that is not there", script{env: map[string]string{"BITVILLE_URL": "file:///nowhere/at/all"}}, "sampled 36", false},
		{"a full disk", script{env: map[string]string{"BITVILLE_URL": "file:///dev/full"}}, "sampled 36", false},
		{"a host that is not there", script{env: map[string]string{"BITVILLE_URL": "https://nowhere.invalid"}}, "sampled 36", false},
		{"a certificate file that is not there", script{env: map[string]string{"BITVILLE_URL": "https://127.0.0.1:9", "BITVILLE_CA_PATH": "/nowhere.pem"}}, "sampled 36", false},
		{"nobody listens", script{env: map[string]string{"BITVILLE_URL": "udp://127.0.0.1:9"}}, "sampled 36", false},
		{"a profiler that fails to start", script{code: `eval('class ExcimerProfiler { function setEventType($x) { throw new Error("no"); } } class ExcimerLog {} const EXCIMER_REAL = 0;'); include '` + mustAbs(t, agent) + `';`,
			bare: true, ini: []string{"auto_prepend_file="}, env: map[string]string{"BITVILLE_PROFILER": "excimer"}}, "not 36", false},
		{"a URL that is none", script{env: map[string]string{"BITVILLE_URL": "gopher://x"}}, "sampled 36", false},
		{"no openssl", script{bare: true, ini: []string{"disable_functions=stream_socket_enable_crypto,openssl_get_cert_locations"}, env: map[string]string{"BITVILLE_URL": "https://127.0.0.1:9", "BITVILLE_CA_PATH": "/x"}}, "sampled 36", false},
		{"a profiler that is not there", script{bare: true, env: map[string]string{"BITVILLE_PROFILER": "xhprof"}}, "sampled 36", true},
		{"the page ends the profiler itself", script{code: `tideways_xhprof_disable();`, env: map[string]string{"BITVILLE_PROFILER": "xhprof"}}, "sampled 36", true},
		{"strange $_SERVER", script{code: `$_SERVER = ['REQUEST_METHOD' => ['x'], 'REQUEST_URI' => ['y'], 'argv' => 7];`}, "sampled 36", true},
		{"no $_SERVER", script{code: `$_SERVER = null;`}, "sampled 36", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.s.code += page
			out, records, err := c.s.run(t)
			require.NoError(t, err, "%s", out)
			require.Equal(t, c.want, out)
			if c.sent {
				require.Len(t, records, 1)
			} else {
				require.Empty(t, records)
			}
		})
	}
}

// TestTooMuch: what does not fit is cut, marked, and sent.
func TestTooMuch(t *testing.T) {
	requireTools(t)
	t.Run("attributes", func(t *testing.T) {
		r := script{code: `Bitville\attribute('noise', bin2hex(random_bytes(3 << 20))); Bitville\route('/r');`}.one(t, "")
		require.Equal(t, true, r["truncated"])
		require.NotContains(t, r, "noise")
		require.Equal(t, "/r", r["route"])
	})
	t.Run("many attributes", func(t *testing.T) {
		r := script{code: `for ($i = 0; $i < 2000; $i++) Bitville\attribute("a$i", $i);`}.one(t, "")
		require.Less(t, len(r), 1000)
	})
	t.Run("edges", func(t *testing.T) {
		r := script{
			code: `for ($i = 0; $i < 40000; $i++) eval("function a_function_with_a_long_name_" . str_repeat('x', 60) . "_$i() {} a_function_with_a_long_name_" . str_repeat('x', 60) . "_$i();"); function slow() { usleep(50_000); } slow();`,
			env:  map[string]string{"BITVILLE_PROFILER": "xhprof"},
		}.one(t, "")
		require.Equal(t, "tideways_xhprof", r["profiler"])
		require.Equal(t, true, r["truncated"])
		edges := r["profiling_data"].(map[string]any)
		require.Greater(t, len(edges), 20_000)
		require.Less(t, len(edges), 80_000)
		require.Contains(t, edges, "slow==>usleep", "what took longest stays")
	})
}

// speedscope stands in for Excimer 1.1 and later, which Debian 12 does not have: a class with the methods that the agent
// calls, and 3,000 stacks of its own.
const speedscope = `
	const EXCIMER_REAL = 0;
	class ExcimerLog implements Countable {
		function count(): int { return 3000; }
		function getSpeedscopeData() { return ['profiles' => [['samples' => [[0]], 'weights' => [1]]], 'shared' => ['frames' => [['name' => str_repeat('x', BIG)]]]]; }
		function formatCollapsed() { $s = ''; for ($i = 1; $i <= 3000; $i++) $s .= "main;f$i " . $i . "\n"; return $s; }
	}
	class ExcimerProfiler { private $c; function setEventType($t) {} function setPeriod($p) {} function setFlushCallback($c, $n) { $this->c = $c; } function start() {}
		function stop() { if ($c = $this->c) { $this->c = null; $c(new ExcimerLog()); } } function getLog() { return new ExcimerLog(); } }`

func TestSpeedscope(t *testing.T) {
	requireTools(t)
	s := script{bare: true, ini: []string{"auto_prepend_file="}, env: map[string]string{"BITVILLE_PROFILER": "excimer"}}
	s.code = "namespace { const BIG = 10; " + speedscope + " include '" + mustAbs(t, agent) + "'; }"
	r := s.one(t, "")
	require.Contains(t, r["profiling_data"], "shared")
	require.NotContains(t, r, "truncated")

	s.code = "namespace { const BIG = 5_000_000; " + speedscope + " include '" + mustAbs(t, agent) + "'; }"
	r = s.one(t, "")
	require.Equal(t, true, r["truncated"])
	lines := strings.Split(strings.TrimSpace(r["profiling_data"].(map[string]any)["collapsed"].(string)), "\n")
	require.Less(t, len(lines), 3000)
	require.Equal(t, "main;f3000 3000", lines[0], "what took longest stays")
}
