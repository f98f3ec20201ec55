package phpagent

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
)

const agent = "../../infra/agents/php/bitville.php"

// record is what the agent sent, with its numbers as they were written.
type record map[string]any

// script is a run of php-cli with the agent as auto_prepend_file.
type script struct {
	code string            // without <?php
	args []string          // of the script
	ini  []string          // of PHP, as name=value
	bare bool              // without php.ini and the extensions that it loads
	env  map[string]string // added to those that make the agent spool everything
}

// run returns all that PHP wrote, the records that came into the spool folder, and how PHP ended.
func (s script) run(t *testing.T) (string, []record, error) {
	t.Helper()
	dir := t.TempDir()
	spool := filepath.Join(dir, "spool")
	require.NoError(t, os.Mkdir(spool, 0o700))
	file := filepath.Join(dir, "page.php")
	require.NoError(t, os.WriteFile(file, []byte("<?php\n"+s.code), 0o600))
	prepend, err := filepath.Abs(agent)
	require.NoError(t, err)
	args := []string{"-d", "auto_prepend_file=" + prepend, "-d", "display_errors=1", "-d", "error_reporting=-1", "-d", "log_errors=0"}
	if s.bare {
		args = append([]string{"-n"}, args...)
	}
	for _, setting := range s.ini {
		args = append(args, "-d", setting)
	}
	cmd := exec.CommandContext(t.Context(), "php", append(append(args, file), s.args...)...)
	env := map[string]string{
		"PATH": os.Getenv("PATH"), "BITVILLE_PROJECT": "shop", "BITVILLE_API_KEY": listenertest.Key,
		"BITVILLE_URL": "file://" + spool, "BITVILLE_SAMPLE_RATE": "1",
	}
	maps.Copy(env, s.env)
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	return string(out), spooled(t, spool), err
}

// spooled reads the records of a spool folder, which may hold nothing else.
func spooled(t *testing.T, folder string) (records []record) {
	t.Helper()
	files, err := os.ReadDir(folder)
	require.NoError(t, err)
	for _, file := range files {
		require.Regexp(t, `^[0-9].*\.php\.ndjson(\.gz)?$`, file.Name())
		text, err := os.ReadFile(filepath.Join(folder, file.Name()))
		require.NoError(t, err)
		if strings.HasSuffix(file.Name(), ".gz") {
			unzip, err := gzip.NewReader(bytes.NewReader(text))
			require.NoError(t, err)
			text, err = io.ReadAll(unzip)
			require.NoError(t, err)
		}
		require.Equal(t, 1, bytes.Count(text, []byte("\n")), "one record a line")
		var r record
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		require.NoError(t, decoder.Decode(&r), "%s", text)
		records = append(records, r)
	}
	return records
}

// one is the record of a script that prints nothing else than want and ends well.
func (s script) one(t *testing.T, want string) record {
	t.Helper()
	out, records, err := s.run(t)
	require.NoError(t, err, "%s", out)
	require.Equal(t, want, out)
	require.Len(t, records, 1)
	return records[0]
}

func TestID(t *testing.T) {
	requireTools(t)
	const hex, uuid = "5e1f2b6c0a4d4c1e9b7a3f1d2c4b5a69", "5e1f2b6c-0a4d-4c1e-9b7a-3f1d2c4b5a69"
	const other = "c0ffee00-c0ff-4e00-80ff-ee00c0ffee00"
	const made = `^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`
	for _, c := range []struct{ name, traceparent, correlation, want string }{
		{"traceparent", "00-" + hex + "-00f067aa0ba902b7-01", other, uuid},
		{"a later version of traceparent", "01-" + hex + "-00f067aa0ba902b7-01-what-comes", "", uuid},
		{"version ff", "ff-" + hex + "-00f067aa0ba902b7-01", other, other},
		{"version 00 with more behind", "00-" + hex + "-00f067aa0ba902b7-01-x", other, other},
		{"upper case in traceparent", "00-" + strings.ToUpper(hex) + "-00f067aa0ba902b7-01", other, other},
		{"a trace id of zeros", "00-" + strings.Repeat("0", 32) + "-00f067aa0ba902b7-01", other, other},
		{"a span id of zeros", "00-" + hex + "-0000000000000000-01", other, other},
		{"a line feed behind", "00-" + hex + "-00f067aa0ba902b7-01\n", other, other},
		{"X-Correlation-Id", "", strings.ToUpper(other), other},
		{"X-Correlation-Id without dashes", "", hex, uuid},
		{"X-Correlation-Id that is no UUID", "", "'; DROP TABLE users; --", made},
		{"X-Correlation-Id with dashes elsewhere", "", "c0ffee00c-0ff-4e00-80ff-ee00c0ffee00", made},
		{"X-Correlation-Id of zeros", "", "00000000-0000-0000-0000-000000000000", made},
		{"none", "", "", made},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := script{
				code: `echo Bitville\id(), ' ', Bitville\traceparent();`,
				env:  map[string]string{"HTTP_TRACEPARENT": c.traceparent, "HTTP_X_CORRELATION_ID": c.correlation},
			}
			out, records, err := s.run(t)
			require.NoError(t, err)
			require.Len(t, records, 1)
			id, parent, _ := strings.Cut(out, " ")
			if c.want == made {
				require.Regexp(t, made, id)
			} else {
				require.Equal(t, c.want, id)
			}
			require.Equal(t, id, records[0]["correlation_id"])
			require.Regexp(t, "^00-"+strings.ReplaceAll(id, "-", "")+"-[0-9a-f]{16}-01$", parent)
		})
	}
}

func TestURI(t *testing.T) {
	requireTools(t)
	const secret = "kJ8s0dQ2mZ7xW4vB6nT1pR3yL5hG9fDc"
	for _, c := range []struct{ name, uri, keep, want string }{
		{"values go", "/a?q=x&p=2", "", "/a?q=&p="},
		{"values that are named stay", "/a?q=x&p=2&page=7", "p, page", "/a?q=&p=2&page=7"},
		{"all stay", "/a?q=x&p=2", "*", "/a?q=x&p=2"},
		{"a name without a value", "/a?debug&x=", "", "/a?debug&x="},
		{"a name that is a secret", "/a?" + secret, "", "/a?*"},
		{"a value with = and ?", "/a?q=b=c?d", "", "/a?q="},
		{"a list", "/a?filter%5Bname%5D=bob", "", "/a?filter%5Bname%5D="},
		{"a long segment", "/confirm/" + secret + "/now", "", "/confirm/*/now"},
		{"a long segment that is escaped", "/confirm/%6B" + secret[1:], "", "/confirm/*"},
		{"base64url", "/s/kJ8s0dQ2mZ-xW4vB6nT_pR3yL5hG-9fDcAb", "", "/s/*"},
		{"a slug is no secret", "/blog/how-we-made-the-slow-page-of-2024-fast-again", "", "/blog/how-we-made-the-slow-page-of-2024-fast-again"},
		{"a UUID is no secret", "/orders/c0ffee00-c0ff-4e00-80ff-ee00c0ffee00", "", "/orders/c0ffee00-c0ff-4e00-80ff-ee00c0ffee00"},
		{"after token", "/login/token/abc", "", "/login/token/*"},
		{"after password-reset", "/password-reset/17/x", "", "/password-reset/*/x"},
		{"after Verify", "/Verify/abc?x=1", "", "/Verify/*?x="},
		{"after a word that only ends alike", "/monkey/7", "", "/monkey/7"},
		{"a path parameter", "/a;jsessionid=17/b", "", "/a;jsessionid=/b"},
		{"user and password of an absolute URI", "http://bob:secret@shop.example/a?x=1", "", "/a?x="},
		{"two slashes", "//a//b", "", "//a//b"},
		{"a command", "", "", "page.php"},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := map[string]string{"BITVILLE_QUERY_VALUES": c.keep}
			if c.uri != "" {
				env["REQUEST_METHOD"], env["REQUEST_URI"] = "GET", c.uri
			}
			require.Equal(t, c.want, script{env: env}.one(t, "")["request_uri"])
		})
	}
	t.Run("arguments of a command", func(t *testing.T) {
		s := script{args: []string{"import:orders", "bob", "--limit=20", "--force", "-v", "--pw", "hunter2", "-phunter2=1", "-phunter2", "---x"}}
		require.Equal(t, "page.php import:orders ? --limit= --force -v --pw ? -p= -p ?", s.one(t, "")["request_uri"])
	})
	t.Run("longer than the listener takes", func(t *testing.T) {
		r := script{env: map[string]string{"REQUEST_METHOD": "GET", "REQUEST_URI": "/" + strings.Repeat("\xff/", 5000)}}.one(t, "")
		require.LessOrEqual(t, len(r["request_uri"].(string)), 8192)
		require.Equal(t, true, r["truncated"])
	})
}

func TestSampling(t *testing.T) {
	requireTools(t)
	for _, c := range []struct {
		name string
		env  map[string]string
		code string
		want any // the record's sampled; nil for no record
	}{
		{"all", map[string]string{"BITVILLE_SAMPLE_RATE": "1"}, "", "rate"},
		{"none", map[string]string{"BITVILLE_SAMPLE_RATE": "0"}, "", nil},
		{"slow", map[string]string{"BITVILLE_SAMPLE_RATE": "0", "BITVILLE_SLOW_MS": "150"}, "usleep(160_000);", "slow"},
		{"every request is slow", map[string]string{"BITVILLE_SAMPLE_RATE": "0", "BITVILLE_SLOW_MS": "0"}, "", "slow"},
		{"never slow", map[string]string{"BITVILLE_SAMPLE_RATE": "0", "BITVILLE_SLOW_MS": "-1"}, "usleep(160_000);", nil},
		{"a visitor's flag", map[string]string{"BITVILLE_SAMPLE_RATE": "0", "HTTP_TRACEPARENT": "00-5e1f2b6c0a4d4c1e9b7a3f1d2c4b5a69-00f067aa0ba902b7-01"}, "", nil},
		{"a header that is no signature", map[string]string{"BITVILLE_SAMPLE_RATE": "0", "HTTP_X_BITVILLE_SAMPLE": "17.abc"}, "", nil},
		{"off", map[string]string{"BITVILLE_ENABLED": "0"}, "", nil},
		{"no key", map[string]string{"BITVILLE_API_KEY": ""}, "", nil},
		{"no project", map[string]string{"BITVILLE_PROJECT": ""}, "", nil},
		{"a key file that is not there", map[string]string{"BITVILLE_API_KEY": "", "BITVILLE_API_KEY_FILE": "/nowhere"}, "", nil},
		{"a rate that is no number", map[string]string{"BITVILLE_SAMPLE_RATE": "1", "BITVILLE_SLOW_MS": "5s"}, "", "rate"},
		{"from $_SERVER", map[string]string{"BITVILLE_SAMPLE_RATE": "0"}, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			// What the page uses works in each case.
			const uses = `Bitville\route('/r'); Bitville\attribute('a', 1); $s = Bitville\comment('SELECT 1');
				if (!preg_match('/^[0-9a-f-]{36}$/', Bitville\id()) || !str_ends_with($s, 'SELECT 1')) echo 'wrong';
				$db = new Bitville\PDO('sqlite::memory:'); if ($db->query('SELECT 7')->fetchColumn() != 7) echo 'wrong';`
			out, records, err := script{code: uses + c.code, env: c.env}.run(t)
			require.NoError(t, err)
			require.Empty(t, out)
			if c.want == nil {
				require.Empty(t, records)
				return
			}
			require.Len(t, records, 1)
			require.Equal(t, c.want, records[0]["sampled"])
		})
	}
	t.Run("a rate of a half", func(t *testing.T) {
		// Each new Agent of one process chooses anew; this is what start() does.
		code := `$begin = new ReflectionMethod(Bitville\Agent::class, 'begin'); $make = new ReflectionMethod(Bitville\Agent::class, '__construct');
			for ($n = $i = 0; $i < 2000; $i++) {
				$a = (new ReflectionClass(Bitville\Agent::class))->newInstanceWithoutConstructor();
				$make->invoke($a); $begin->invoke($a); $n += $a->sampled(); $a->settings->url = 'nowhere'; $a->settings->slowMs = -1;
			} echo $n > 800 && $n < 1200 ? 'about half' : $n;`
		out, _, err := script{code: code, env: map[string]string{"BITVILLE_SAMPLE_RATE": "0.5", "BITVILLE_SLOW_MS": "-1", "BITVILLE_PROFILER": "none"}}.run(t)
		require.NoError(t, err)
		require.Equal(t, "about half", out)
	})
	t.Run("with a signed header", func(t *testing.T) {
		sign := `define('T', time() + %d); $_SERVER['HTTP_X_BITVILLE_SAMPLE'] = T . '.' . hash_hmac('sha256', 'sample ' . T, '%s');`
		for _, c := range []struct {
			name, off, key string
			want           int
		}{
			{"now", "0", listenertest.Key, 1}, {"299 s old", "-299", listenertest.Key, 1}, {"302 s old", "-302", listenertest.Key, 0},
			{"302 s ahead", "302", listenertest.Key, 0}, {"another key", "0", "another", 0},
		} {
			code := strings.NewReplacer("%d", c.off, "%s", c.key).Replace(sign) + "include '" + mustAbs(t, agent) + "'; exit(Bitville\\sampled() ? '+' : '-');"
			out, records, err := script{code: code, ini: []string{"auto_prepend_file="}, env: map[string]string{"BITVILLE_SAMPLE_RATE": "0"}}.run(t)
			require.NoError(t, err)
			require.Len(t, records, c.want, c.name)
			require.Equal(t, []string{"-", "+"}[c.want], out, c.name)
			if c.want == 1 {
				require.Equal(t, "header", records[0]["sampled"])
			}
		}
	})
}

func mustAbs(t testing.TB, path string) string {
	path, err := filepath.Abs(path)
	require.NoError(t, err)
	return path
}

// TestSettings: each default is the one that is documented, and what is wrong is told in PHP's log when that is wanted.
func TestSettings(t *testing.T) {
	requireTools(t)
	out, _, err := script{code: `foreach (get_object_vars(new Bitville\Settings()) as $n => $v) echo $n, '=', var_export($v, true), "\n";`}.run(t)
	require.NoError(t, err)
	require.Equal(t, []string{
		"enabled=true", "debug=false", "url='udp://127.0.0.1:8444'", "project=''", "apiKey=''", "apiKeyFile=''", "caPath=''", "sampleRate=0.01",
		"slowMs=500.0", "profiler='auto'", "profilerPeriodMs=10.0", "pgbouncer=false", "queryValues=''", "serverTiming=false", "timeoutMs=200.0", "breakerS=10.0",
	}, strings.Fields(out))

	out, records, err := script{ini: []string{"log_errors=1"}, env: map[string]string{
		"BITVILLE_DEBUG": "1", "BITVILLE_SAMPLE_RATE": "-1", "BITVILLE_PROFILER": "xdebug", "BITVILLE_TIMEOUT_MS": "2s", "BITVILLE_URL": "http://x", "BITVILLE_SLOW_MS": "0",
	}}.run(t)
	require.NoError(t, err)
	require.Empty(t, records)
	for _, name := range []string{"SAMPLE_RATE is -1", "PROFILER is xdebug", "TIMEOUT_MS is 2s", "URL is none of"} {
		require.Contains(t, out, "bitville: BITVILLE_"+name)
	}
	require.NotContains(t, out, listenertest.Key)

	out, _, err = script{ini: []string{"log_errors=1"}, env: map[string]string{"BITVILLE_DEBUG": "1", "BITVILLE_PROJECT": "", "BITVILLE_API_KEY": ""}}.run(t)
	require.NoError(t, err)
	require.Contains(t, out, "bitville: BITVILLE_PROJECT is not set")
	require.Contains(t, out, "bitville: BITVILLE_API_KEY is not set")

	key := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(key, []byte("k\n"), 0o600))
	script{env: map[string]string{"BITVILLE_API_KEY": "", "BITVILLE_API_KEY_FILE": key}}.one(t, "")
}

func TestRecord(t *testing.T) {
	requireTools(t)
	r := script{code: `
		Bitville\route('/product/{id}');
		Bitville\attribute('tenant', 'acme'); Bitville\attribute('nan', NAN); Bitville\attribute('bad', "\xff"); Bitville\attribute('list', ['a' => [1, 2.5]]);
		Bitville\attribute('project', 'theirs'); Bitville\attribute('status', 1); Bitville\attribute('file', STDIN);
		Bitville\attribute('thrower', new class implements JsonSerializable { function jsonSerialize(): mixed { throw new Exception('no'); } });
		$db = new Bitville\PDO('sqlite::memory:'); $db->exec('SELECT 1'); $db->query('SELECT 2'); $s = $db->prepare('SELECT 3'); $s->execute(); $s->execute();
		usleep(30_000); http_response_code(404);`,
		env: map[string]string{"REQUEST_METHOD": "PUT", "REQUEST_URI": "/product/7"}}.one(t, "")
	keys := slices.Sorted(maps.Keys(r))
	require.Equal(t, []string{"bad", "correlation_id", "db_ms", "duration_ms", "file", "list", "method", "nan", "profiler", "profiling_data", "project",
		"queries", "request_uri", "route", "sampled", "status", "tenant", "thrower", "timestamp"}, keys)
	require.Equal(t, record{
		"project": "shop", "method": "PUT", "status": json.Number("404"), "route": "/product/{id}", "profiler": "none", "sampled": "rate",
		"queries": json.Number("4"), "tenant": "acme", "nan": json.Number("0"), "bad": "�", "file": nil, "thrower": nil,
	}, record{
		"project": r["project"], "method": r["method"], "status": r["status"], "route": r["route"], "profiler": r["profiler"], "sampled": r["sampled"],
		"queries": r["queries"], "tenant": r["tenant"], "nan": r["nan"], "bad": r["bad"], "file": r["file"], "thrower": r["thrower"],
	})
	ms, err := r["duration_ms"].(json.Number).Float64()
	require.NoError(t, err)
	require.GreaterOrEqual(t, ms, 30.0)
	require.Empty(t, r["profiling_data"])
}
