package phpagent

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

// TestBothHalves asks for 1,000 pages, a fifth of them sampled, with the agent beside Postgres: each of those arrives with
// its profile, all of its statements and their plans under one id. Statements of others arrive under no page's id, also
// where a pool of one connection serves two clients.
func TestBothHalves(t *testing.T) {
	requireTools(t)
	pg := startPostgres(t)
	bouncer := pg.startPgBouncer(t)
	for _, c := range []struct{ name, dsn, pgbouncer string }{
		{"direct", "pgsql:host=" + pg.Dir + ";dbname=postgres;user=app", "0"},
		{"PgBouncer", "pgsql:host=" + bouncer + ";port=6432;user=x;dbname=app", "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			udp := freeUDP(t)
			l := startListener(t, "BITVILLE_UDP_ADDR="+udp)
			agent := l.StartAgent(t, "postgres", "--log", pg.Dir)
			s := (&site{workers: 2, code: fmt.Sprintf(`
				$db = new Bitville\PDO(%[1]q, options: [PDO::ATTR_EMULATE_PREPARES => true]);
				$other = new PDO(%[1]q, options: [PDO::ATTR_EMULATE_PREPARES => true, PDO::ATTR_ERRMODE => PDO::ERRMODE_SILENT]);
				$db->query('SELECT stock(3)')->fetchAll(); $other->query('SELECT 1 / 0');
				$s = $db->prepare('SELECT name FROM products WHERE id = ?'); for ($i = 1; $i < 3; $i++) { $s->execute([$i]); $other->query('SELECT 1 / 0'); }
				$db->beginTransaction(); $db->exec('UPDATE products SET name = name WHERE id = 1'); $db->commit(); $other->query('SELECT 1 / 0');
				try { $db->query('SELECT nowhere'); } catch (PDOException) {}
				echo Bitville\sampled() ? 'sampled' : 'not';`, c.dsn),
				env: map[string]string{
					"BITVILLE_URL": "udp://" + udp, "BITVILLE_SAMPLE_RATE": "0.2", "BITVILLE_SLOW_MS": "-1", "BITVILLE_PGBOUNCER": c.pgbouncer,
				}}).start(t)
			var mu sync.Mutex
			var visitors sync.WaitGroup
			pages := map[string]string{} // by id: sampled or not
			for range 2 {
				visitors.Go(func() {
					for range 500 {
						p := s.get(t, "/")
						mu.Lock()
						pages[p.header.Get("X-Correlation-Id")] = p.body
						mu.Unlock()
					}
				})
			}
			visitors.Wait()
			require.Len(t, pages, 1000)
			sampled := 0
			for id, body := range pages {
				require.Contains(t, []string{"sampled", "not"}, body, id)
				if body == "sampled" {
					sampled++
				}
			}
			require.Greater(t, sampled, 100)

			const mine, others = 6, 4 // statements of a sampled page; failures of the client without the agent, of every page
			want := sampled*mine + 1000*(others+1) - sampled
			var rows [][]string
			require.Eventually(t, func() bool {
				rows = sqlitetest.Query(t, l.DBPath, `SELECT correlation_id, name, attributes ->> 'correlation', attributes ->> 'sql_error_code', length(payload) > 2, attributes ->> 'nested'
					FROM profiling_data WHERE source = 'postgres_agent'`)
				return len(rows) >= want
			}, 60*time.Second, 100*time.Millisecond, "%d records of %d:\n%s", len(rows), want, agent.Log)
			require.Len(t, rows, want)
			got := map[string][]string{}
			failures := 0
			for _, r := range rows {
				if r[1] == "SELECT 1 / 0" {
					require.Equal(t, []string{"derived", "22012"}, r[2:4], "of the client without the agent")
					require.Empty(t, pages[r[0]])
					failures++
					continue
				}
				require.NotEmpty(t, pages[r[0]], "a page's id: %v", r)
				require.Empty(t, r[2])
				got[r[0]] = append(got[r[0]], fmt.Sprint(r[1], r[3], " plan:", r[4], " nested:", r[5]))
			}
			require.Equal(t, others*1000, failures)
			for id, body := range pages {
				want := []string{"SELECT nowhere42703 plan:0 nested:"}
				if body == "sampled" {
					want = append(want, "(SELECT sum(n) FROM generate_series(1, product) AS n) plan:1 nested:1", "SELECT stock(3) plan:1 nested:",
						"SELECT name FROM products WHERE id = '1' plan:1 nested:", "SELECT name FROM products WHERE id = '2' plan:1 nested:",
						"UPDATE products SET name = name WHERE id = 1 plan:1 nested:")
				}
				require.ElementsMatch(t, want, got[id], id)
			}
			profiles := sqlitetest.Query(t, l.DBPath, "SELECT correlation_id, length(payload) > 2 FROM profiling_data WHERE source = 'php_agent'")
			require.Len(t, profiles, sampled)
			for _, row := range profiles {
				require.Equal(t, []string{"sampled", "1"}, []string{pages[row[0]], row[1]})
			}
			require.NotContains(t, agent.Log.String(), `"level":"ERROR"`)
		})
	}
}
