package postgresagent

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/postgrestest"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

const (
	idA = "3f2c8a5e-9d4b-4c1f-a6e0-b7d2c3e4f501"
	byA = "/*correlation_id='" + idA + "'*/ "
)

// TestFormats: a live server's statements arrive, the same whatever format the log has.
func TestFormats(t *testing.T) {
	postgrestest.Require(t)
	const prefix = "%m [%p] %c %l %Q %q%u@%d/%a "
	var first [][]string
	for _, format := range []string{"jsonlog", "csvlog", "stderr"} {
		t.Run(format, func(t *testing.T) {
			pg := postgrestest.Start(t, fmt.Sprintf("log_destination = %s\nlog_line_prefix = '%s'\nauto_explain.log_min_duration = 0", format, prefix))
			pg.SQL(t, "CREATE FUNCTION twice(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT sum(x) FROM generate_series(1, n) x); END $$")
			l := startListener(t)
			l.StartAgent(t, "postgres", "--log", pg.Dir, "--format", format)
			for range 20 {
				pg.SQL(t, byA+"SELECT 1; "+byA+"SELECT twice(3)")
			}
			pg.SQL(t, "SELECT 'é' /* without an id */")
			rows := stored(t, l, 61, "name, attributes ->> 'nested', attributes ->> 'correlation', attributes ->> 'user', attributes ->> 'database', attributes ->> 'query_id', length(payload) > 100, duration_ms > 0, correlation_id = '"+idA+"'")
			if first == nil {
				first = rows
			}
			require.ElementsMatch(t, first, rows)
		})
	}
}

// TestServerDuration: where PostgreSQL logs plans and durations, each execution is one record with both, whatever the
// protocol; one that is no plan's is there too.
func TestServerDuration(t *testing.T) {
	postgrestest.Require(t)
	pg := postgrestest.Start(t, "")
	pgbench := func(args ...string) {
		out, err := postgrestest.Command("pgbench", append(args, "-h", pg.Dir, "-U", "postgres", "postgres")...).CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	pgbench("-i", "-q", "-s", "1")
	pg.SQL(t, "ALTER SYSTEM SET auto_explain.log_min_duration = 0")
	pg.SQL(t, "ALTER SYSTEM SET log_min_duration_statement = 0")
	pg.SQL(t, "SELECT pg_reload_conf()")
	l := startListener(t)
	l.StartAgent(t, "postgres", "--log", pg.Dir)
	script := t.TempDir() + "/script.sql"
	require.NoError(t, os.WriteFile(script, []byte("BEGIN;\nSELECT abalance FROM pgbench_accounts WHERE aid = 7;\nUPDATE pgbench_accounts SET abalance = 1 WHERE aid = 7;\nEND;\nSELECT count(*) FROM pgbench_branches;\n"), 0o600))
	for _, protocol := range []string{"simple", "extended", "prepared"} {
		pgbench("-n", "-M", protocol, "-f", script, "-t", "20")
	}
	counts := map[string]int{}
	read := func() (n int) {
		clear(counts)
		for _, r := range sqlitetest.Query(t, l.DBPath, `SELECT rtrim(name, ';'), attributes ->> 'server_ms' >= duration_ms, length(payload) > 2
			FROM profiling_data WHERE name LIKE '%abalance%' OR name LIKE 'SELECT count(*) FROM pgbench_branches%' OR name LIKE 'BEGIN%'`) {
			counts[strings.Join(r, "|")]++
			n++
		}
		return n
	}
	for deadline := time.Now().Add(30 * time.Second); read() < 240 && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond) // for what must not come
	read()
	require.Equal(t, map[string]int{ // BEGIN has a duration and no plan
		"SELECT abalance FROM pgbench_accounts WHERE aid = 7|1|1": 60, "UPDATE pgbench_accounts SET abalance = 1 WHERE aid = 7|1|1": 60,
		"SELECT count(*) FROM pgbench_branches|1|1": 60, "BEGIN||0": 60,
	}, counts)
}
