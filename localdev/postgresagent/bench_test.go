package postgresagent

import (
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
	"github.com/bitville/listener/localdev/postgrestest"
)

// BenchmarkPgbench measures the throughput of pgbench -S, in transactions a second, with the agent and without, its modes in
// turn; an iteration is three seconds of each. Its figures are medians.
func BenchmarkPgbench(b *testing.B) {
	postgrestest.Require(b)
	pg := postgrestest.Start(b, "shared_preload_libraries = 'auto_explain,pg_stat_statements'\nauto_explain.log_buffers = on")
	pg.SQL(b, "CREATE EXTENSION pg_stat_statements")
	pgbench := func(args ...string) string {
		out, err := postgrestest.Command("pgbench", append(args, "-h", pg.Dir, "-U", "postgres", "postgres")...).CombinedOutput()
		require.NoError(b, err, "%s", out)
		return string(out)
	}
	pgbench("-i", "-q", "-s", "2")
	l := startListener(b)
	modes := []struct {
		name   string
		agent  bool
		sample string // share of statements that are explained; "" for none
	}{
		{"no-agent", false, ""}, {"idle", true, ""}, {"one-in-100", true, "0.01"}, {"all", true, "1"},
	}
	figures := map[string][]float64{}
	for b.Loop() {
		for _, m := range modes {
			explain := "ALTER SYSTEM SET auto_explain.log_min_duration = -1"
			if m.sample != "" {
				explain = "ALTER SYSTEM SET auto_explain.log_min_duration = 0"
				pg.SQL(b, "ALTER SYSTEM SET auto_explain.sample_rate = "+m.sample)
			}
			pg.SQL(b, explain)
			pg.SQL(b, "SELECT pg_reload_conf()")
			var a *listenertest.Agent
			if m.agent {
				a = l.NewAgent(b, "postgres", "--log", pg.Dir, "--dsn", pg.DSN, "--statements-interval", "1s")
				a.Start(b)
			}
			tps := regexp.MustCompile(`tps = ([0-9.]+)`).FindStringSubmatch(pgbench("-n", "-S", "-c", "2", "-T", "3"))
			require.NotNil(b, tps)
			n, err := strconv.ParseFloat(tps[1], 64)
			require.NoError(b, err)
			figures[m.name] = append(figures[m.name], n)
			if a != nil {
				require.NoError(b, a.Cmd.Process.Kill()) // what it has not read of the last mode is not the next one's
				_ = a.Wait(b)
			}
		}
	}
	b.ReportMetric(0, "ns/op")
	for _, m := range modes {
		all := figures[m.name]
		slices.Sort(all)
		b.ReportMetric(all[len(all)/2], m.name+"-tps")
	}
}
