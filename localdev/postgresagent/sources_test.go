package postgresagent

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/postgrestest"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

// TestOverSQL: where only a connection exists, the log is read over it, by a role with the rights that --check names, and
// through rotations.
func TestOverSQL(t *testing.T) {
	postgrestest.Require(t)
	pg := postgrestest.Start(t, "auto_explain.log_min_duration = 0\nlog_filename = 'postgres-%H%M%S.log'\nshared_preload_libraries = 'auto_explain,pg_stat_statements'")
	pg.SQL(t, "CREATE EXTENSION pg_stat_statements; CREATE ROLE agent LOGIN")
	l := startListener(t)
	dsn := "host=" + pg.Dir + " user=agent dbname=postgres"
	out, err := exec.Command(binary, "agent", "postgres", "--check", "--log", "sql", "--dsn", dsn).Output()
	require.Error(t, err)
	require.Contains(t, string(out), "missing: ")
	for range 2 { // what it says, and what it says then
		psql := postgrestest.Command("psql", "-X", "-v", "ON_ERROR_STOP=1", "-h", pg.Dir, "-U", "postgres", "-d", "postgres")
		var sql bytes.Buffer
		for line := range strings.Lines(string(out)) {
			if strings.HasPrefix(line, "    ") {
				sql.WriteString(line)
			}
		}
		psql.Stdin = &sql
		said, err := psql.CombinedOutput()
		require.NoError(t, err, "%s", said)
		out, _ = exec.Command(binary, "agent", "postgres", "--check", "--log", "sql", "--dsn", dsn).Output()
	}
	require.Equal(t, "all is right\n", string(out))

	a := l.StartAgent(t, "postgres", "--log", "sql", "--dsn", dsn, "--statements-interval", "500ms")
	for i := range 6 {
		pg.SQL(t, byA+"SELECT 'é€𝄞' || repeat('ü', 3)")
		pg.SQL(t, "SELECT pg_rotate_logfile()")
		if i == 3 {
			a.Kill(t)
			a.Start(t)
		}
		time.Sleep(400 * time.Millisecond)
	}
	count := func(where string) string {
		return sqlitetest.Query(t, l.DBPath, "SELECT count(*) FROM profiling_data WHERE source = 'postgres_agent' AND "+where)[0][0]
	}
	require.Eventually(t, func() bool { return count("correlation_id = '"+idA+"'") == "6" }, 20*time.Second, 50*time.Millisecond, "%s", a.Log)
	require.Eventually(t, func() bool {
		return count("attributes ->> 'kind' = 'pg_stat_statements' AND name LIKE 'SELECT $1 || repeat%'") != "0"
	}, 20*time.Second, 50*time.Millisecond, "%s", a.Log)
	require.Equal(t, "0", count("attributes ->> 'kind' IS NULL AND name LIKE '%pg_ls_logdir%'"), "its own statements are no news")
}

// TestStandardInput: a stream is read to its end, and the agent ends when all was sent.
func TestStandardInput(t *testing.T) {
	for _, name := range []string{"postgres-jsonlog.jsonl", "postgres-csvlog.csv", "postgres-stderr.log"} {
		t.Run(name, func(t *testing.T) {
			log, err := os.ReadFile(filepath.Join("../agent/pglog/testdata", name))
			require.NoError(t, err)
			today := time.Now().UTC().Add(-time.Hour).Format("2006-01-02 15:04")
			for _, minute := range []string{"2026-11-28 01:10"} { // the listener refuses old records
				log = bytes.ReplaceAll(log, []byte(minute), []byte(today))
			}
			l := startListener(t)
			a := l.NewAgent(t, "postgres", "--log", "-", "--log-line-prefix", "%m [%p] %q%u@%d/%a ", "--redact", "literals")
			a.Cmd.Stdin = bytes.NewReader(log)
			a.Launch(t)
			require.NoError(t, a.Wait(t), "%s", a.Log)
			want := 5
			if strings.HasSuffix(name, "jsonl") {
				want = 11
			}
			for _, row := range stored(t, l, want, "name, payload") {
				require.NotContains(t, row[0]+row[1], "'")
			}
		})
	}
}

// TestMetrics reads what the agent counts.
func TestMetrics(t *testing.T) {
	dir := t.TempDir()
	log, err := os.ReadFile("../agent/pglog/testdata/postgres-jsonlog.jsonl")
	require.NoError(t, err)
	today := time.Now().UTC().Add(-time.Hour).Format("2006-01-02 15:04")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "1.json"), bytes.ReplaceAll(log, []byte("2026-11-28 01:10"), []byte(today)), 0o600))
	l := startListener(t)
	a := l.NewAgent(t, "postgres", "--log", dir, "--from", "start")
	a.Env = append(a.Env, "BITVILLE_METRICS_ADDR=127.0.0.1:0")
	a.Start(t)
	stored(t, l, 11, "id")
	var serving struct{ Addr string }
	require.True(t, a.Log.Find("serving metrics", &serving), "%s", a.Log)
	resp, err := http.Get("http://" + serving.Addr + "/metrics")
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	for _, line := range []string{"bitville_agent_records_read_total 11", `bitville_agent_records_sent_total{answer="accepted"} 11`, "bitville_agent_log_behind_bytes 0", "bitville_agent_up 1"} {
		require.Contains(t, string(text), "\n"+line+"\n")
	}
	a.Stop(t)
	http.DefaultClient.CloseIdleConnections()
}

// TestSettings: every problem is told at once, and the help names what there is.
func TestSettings(t *testing.T) {
	cmd := exec.Command(binary, "agent", "postgres", "--log-line-prefix", "%u")
	cmd.Env = []string{"BITVILLE_URL=http://l"}
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	for _, part := range []string{"BITVILLE_URL begins with http:", "BITVILLE_STATE_DIR is not set", "BITVILLE_PROJECT and BITVILLE_API_KEY are not set", "BITVILLE_POSTGRES_LOG (--log) is not set", "holds no time"} {
		require.Contains(t, string(out), part)
	}
	out, err = exec.Command(binary, "agent", "postgres", "--help").CombinedOutput()
	require.NoError(t, err)
	for _, flag := range []string{"--log", "--format", "--log-line-prefix", "--from", "--dsn", "--statements-interval", "--redact", "--app-role", "--check", "--print-config", "--state-dir", "--spool-max-bytes", "--flush-interval"} {
		require.Contains(t, string(out), flag)
	}
	out, err = exec.Command(binary, "agent", "postgres", "--print-config", "--app-role", "Shop App").CombinedOutput()
	require.NoError(t, err)
	require.Contains(t, string(out), `GRANT SET ON PARAMETER auto_explain.log_min_duration TO "Shop App";`)
	require.NotContains(t, string(out), "<")
}
