package pgserver

import (
	"encoding/json"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/postgrestest"
)

func open(t testing.TB, dsn string) *DB {
	t.Helper()
	db, err := New(dsn)
	require.NoError(t, err)
	t.Cleanup(db.Close)
	return db
}

// check returns the sentences and the statements.
func check(t testing.TB, dsn string, want Wanted) (what, sql []string) {
	t.Helper()
	missing, err := Check(t.Context(), open(t, dsn), want)
	require.NoError(t, err)
	for _, m := range missing {
		what = append(what, m.What)
		for _, s := range m.SQL {
			require.Regexp(t, `^[A-Z].*;$`, s)
			sql = append(sql, s)
		}
	}
	return what, sql
}

// TestCheck: a fresh server lacks all of it; what the check says, run by psql and after a restart, mends it.
func TestCheck(t *testing.T) {
	postgrestest.Require(t)
	for _, format := range []string{"jsonlog", "auto", "stderr"} {
		t.Run(format, func(t *testing.T) {
			pg := postgrestest.Start(t, "shared_preload_libraries = ''\nlog_destination = stderr\nlogging_collector = off\ncompute_query_id = off\nlog_error_verbosity = terse\nsession_preload_libraries = ''")
			pg.SQL(t, "ALTER SYSTEM RESET ALL")
			require.NoError(t, pg.WithoutSettings(t, "auto_explain."))
			pg.SQL(t, `CREATE ROLE app LOGIN; CREATE ROLE "the agent" LOGIN`)
			want := Wanted{Format: format, Prefix: "%m [%p] %c %l %Q %q%u@%d/%a ", OverSQL: format == "jsonlog", Statements: true, AppRole: "app"}
			admin := pg.DSN
			agent := "host=" + pg.Dir + " dbname=postgres user='the agent'"

			what, sql := check(t, agent, want)
			require.Equal(t, []string{`the agent's role "the agent" may not read all settings`}, what)
			run(t, pg, sql)
			what, sql = check(t, agent, want)
			all := strings.Join(what, "\n")
			for _, part := range []string{"auto_explain is not loaded (restart", "pg_stat_statements is not loaded (restart", "auto_explain.log_format", "compute_query_id is off", "the extension pg_stat_statements is not", "the role app may not ask for plans"} {
				require.Contains(t, all, part)
			}
			require.Equal(t, format == "stderr", strings.Contains(all, "log_error_verbosity is terse"))
			run(t, pg, sql)
			what, _ = check(t, agent, want)
			require.NotContains(t, strings.Join(what, "\n"), "log_format", "it is set before the library is loaded")
			pg.Restart(t)
			for _, dsn := range []string{agent, admin} {
				what, _ = check(t, dsn, want)
				require.Empty(t, what)
			}

			what, _ = check(t, admin, Wanted{Format: format, Prefix: want.Prefix, AppRole: "nobody"})
			require.Equal(t, []string{"there is no role nobody (--app-role)"}, what)
		})
	}
	_, err := Check(t.Context(), open(t, "host=/nowhere user=x password=s3cret"), Wanted{})
	require.ErrorContains(t, err, "connect to PostgreSQL (BITVILLE_POSTGRES_DSN)")
	require.NotContains(t, err.Error(), "s3cret")
	require.NotContains(t, err.Error(), "\n")
	_, err = New("postgres://x:s3cret@[::1")
	require.ErrorContains(t, err, "the connection string (BITVILLE_POSTGRES_DSN) is not right")
	require.NotContains(t, err.Error(), "s3cret")
}

// run pipes statements into psql, as a user does.
func run(t testing.TB, pg *postgrestest.Server, sql []string) {
	t.Helper()
	psql := postgrestest.Command("psql", "-X", "-v", "ON_ERROR_STOP=1", "-h", pg.Dir, "-U", "postgres", "-d", "postgres")
	psql.Stdin = strings.NewReader("    " + strings.Join(sql, "\n    ") + "\n")
	out, err := psql.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// TestConfig: PostgreSQL takes the lines that are printed, and then nothing is missing.
func TestConfig(t *testing.T) {
	postgrestest.Require(t)
	for _, format := range []string{"csvlog", "stderr"} {
		want := Wanted{Format: format, Prefix: "%m [%p] %c %l %Q %q%u@%d/%a ", Statements: true, AppRole: "app"}
		text := Config(want)
		pg := postgrestest.Start(t, "log_destination = stderr\n"+text+"log_directory = '<dir>'")
		pg.SQL(t, "CREATE ROLE app; CREATE EXTENSION pg_stat_statements")
		pg.SQL(t, regexp.MustCompile(`GRANT.*;`).FindString(text))
		what, _ := check(t, pg.DSN, want)
		require.Empty(t, what)
	}
}

// TestSnapshots: the difference between two looks, under an id of its own, and nothing of before.
func TestSnapshots(t *testing.T) {
	postgrestest.Require(t)
	pg := postgrestest.Start(t, "shared_preload_libraries = 'auto_explain,pg_stat_statements'")
	pg.SQL(t, "CREATE SCHEMA \"Stats\"; CREATE EXTENSION pg_stat_statements SCHEMA \"Stats\"; CREATE TABLE items AS SELECT generate_series(1, 10) AS id")
	pg.SQL(t, "SELECT count(*) FROM items WHERE id > 3")
	var lines []string
	at := time.Date(2026, 11, 28, 8, 0, 0, 0, time.UTC)
	s := &Snapshots{
		DB: open(t, pg.DSN), Project: "shop", Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return at }, Read: func(int) {},
		Put: func(records ...[]byte) error {
			lines = nil
			for _, r := range records {
				lines = append(lines, string(r))
			}
			return nil
		},
	}
	require.NoError(t, s.take(t.Context()))
	require.Empty(t, lines, "the first is what others are compared with")
	find := func(part string) (found map[string]any) {
		for _, line := range lines {
			var r map[string]any
			d := json.NewDecoder(strings.NewReader(line))
			d.UseNumber()
			require.NoError(t, d.Decode(&r))
			require.NotContains(t, line, "correlation_id='")
			if strings.Contains(r["query"].(string), part) {
				require.Nil(t, found, "one row a statement: %s", line)
				found = r
			}
		}
		return found
	}
	for range 3 {
		pg.SQL(t, "/*correlation_id='3f2c8a5e-9d4b-4c1f-a6e0-b7d2c3e4f501'*/ SELECT count(*) FROM items WHERE id > 4")
	}
	pg.SQL(t, "CREATE ROLE leaky PASSWORD 's3cret'")
	at = at.Add(time.Minute)
	require.NoError(t, s.take(t.Context()))
	r := find("FROM items")
	require.Equal(t, []any{"SELECT count(*) FROM items WHERE id > $1", json.Number("3"), "pg_stat_statements", "postgres", "postgres", json.Number("1795852800.000000")},
		[]any{r["query"], r["calls"], r["kind"], r["database"], r["user"], r["timestamp"]})
	require.Regexp(t, `^-?\d+$`, r["query_id"])
	counted := r["profiling_data"].(map[string]any)
	require.Equal(t, []any{json.Number("3"), json.Number("3"), json.Number("60000")}, []any{counted["calls"], counted["rows"], counted["interval_ms"]})
	require.Contains(t, counted, "shared_blk_read_time", "the name of PostgreSQL 17")
	require.NotContains(t, counted, "mean_exec_time")
	require.NotContains(t, counted, "blk_read_time")
	require.NotNil(t, find("CREATE ROLE leaky"))
	first := r["correlation_id"]

	at = at.Add(time.Minute)
	require.NoError(t, s.take(t.Context()))
	require.Nil(t, find("FROM items"), "nothing ran")

	s.Redact = true
	pg.SQL(t, `SELECT "Stats".pg_stat_statements_reset()`)
	pg.SQL(t, "SELECT count(*) FROM items WHERE id > 5")
	pg.SQL(t, "ALTER ROLE leaky PASSWORD 's3cret'")
	at = at.Add(time.Minute)
	require.NoError(t, s.take(t.Context()))
	r = find("FROM items")
	require.Equal(t, json.Number("1"), r["calls"], "after a reset")
	require.NotEqual(t, first, r["correlation_id"])
	require.NotContains(t, strings.Join(lines, "\n"), "s3cret")
	require.Equal(t, "SELECT count(*) FROM items WHERE id > $1", s.Normalised(t.Context(), r["query_id"].(json.Number).String()))
	require.Empty(t, s.Normalised(t.Context(), "1"))
}

// TestVersions: the columns of each version give the same names.
func TestVersions(t *testing.T) {
	common := []string{"userid", "dbid", "queryid", "calls", "rows", "shared_blks_hit", "query"}
	for version, more := range map[string][]string{
		"12": {"total_time", "min_time", "mean_time", "blk_read_time", "blk_write_time"},
		"13": {"plans", "total_plan_time", "min_plan_time", "total_exec_time", "stddev_exec_time", "blk_read_time", "blk_write_time", "wal_bytes"},
		"15": {"toplevel", "plans", "total_exec_time", "max_exec_time", "blk_read_time", "blk_write_time", "temp_blk_read_time", "wal_bytes", "jit_functions"},
		"17": {"toplevel", "plans", "total_exec_time", "shared_blk_read_time", "shared_blk_write_time", "local_blk_read_time", "jit_deform_count", "stats_since", "minmax_stats_since"},
		"18": {"toplevel", "plans", "total_exec_time", "shared_blk_read_time", "shared_blk_write_time", "wal_buffers_full", "parallel_workers_to_launch", "parallel_workers_launched", "stats_since"},
	} {
		r := result{names: append(append([]string{}, common...), more...)}
		var row [][]byte
		for _, name := range r.names {
			value, kind := "-7", uint32(int8)
			switch {
			case name == "query" || strings.HasSuffix(name, "since"):
				value, kind = "text", 25
			case strings.HasSuffix(name, "time"):
				value, kind = "1.5", float8
			case name == "wal_bytes":
				value, kind = "12", numeric
			case name == "toplevel":
				value, kind = "t", 16
			case name == "calls" || name == "rows":
				value = "3"
			}
			row, r.types = append(row, []byte(value)), append(r.types, kind)
		}
		r.rows = [][][]byte{row}
		rows, _ := parse(r)
		require.Len(t, rows, 1)
		for _, c := range rows {
			require.Equal(t, []string{"3", "3", "1.5", "1.5", "1.5"}, []string{c["calls"], c["rows"], c["total_exec_time"], c["shared_blk_read_time"], c["shared_blk_write_time"]}, version)
			for name := range c {
				require.NotRegexp(t, `^(min|max|mean|stddev)_|since|query|id$`, name, version)
			}
		}
	}
	require.Equal(t, counters{"calls": "2", "total_exec_time": "0.250000", "wal_bytes": "9223372036854775806"},
		delta(counters{"calls": "1", "total_exec_time": "1.5", "wal_bytes": "1"}, counters{"calls": "3", "total_exec_time": "1.75", "wal_bytes": "9223372036854775807"}))
	require.Equal(t, counters{"calls": "1", "total_exec_time": "1.000000"}, delta(counters{"calls": "9", "total_exec_time": "9.5"}, counters{"calls": "1", "total_exec_time": "1.0"}), "reset")
}
