package phpagent

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// same is a script that says all that a page can see of PDO, as JSON a line. <class> stands for PDO's or the agent's.
const same = `
	function say(callable $f) { global $db; try { $r = $f(); } catch (Throwable $e) { $r = [get_class($e), $e->getCode(), $e->errorInfo[0] ?? null,
		preg_replace('~(\.\.\.[0-9a-f-]*\'|/\*trace.*?)\*/ |\s+\^|\s{2,}~', '', preg_replace('/ at character \d+/', '', $e->getMessage()))]; }
		echo json_encode([$r, $db?->errorCode(), array_slice($db?->errorInfo() ?? [], 0, 2), $db?->inTransaction()]), "\n"; }
	class Row { public $id; public $name; }
	class MyStatement extends PDOStatement { protected function __construct(public $tag = '') {} }
	say(fn () => new <class>('pgsql:host=/nowhere;dbname=x'));
	say(fn () => new <class>('nodriver:x'));
	say(fn () => get_class(new <class>(<dsn>, null, null, null)) !== '');
	foreach ([PDO::ERRMODE_EXCEPTION, PDO::ERRMODE_SILENT, PDO::ERRMODE_WARNING] as $mode) foreach ([false, true] as $emulate) {
		$db = new <class>(<dsn>, null, null, [PDO::ATTR_ERRMODE => $mode, PDO::ATTR_EMULATE_PREPARES => $emulate, PDO::PGSQL_ATTR_DISABLE_PREPARES => <disable>, PDO::ATTR_PERSISTENT => <keep>]);
		ob_start(); // of ERRMODE_WARNING
		$say = []; $all = function (callable $f) { ob_start(); say($f); $t = ob_get_clean(); return substr($t, strpos($t, "\n[") ?: 0); };
		foreach ([
			fn () => $db->query('SELECT id, name FROM products ORDER BY id LIMIT 2')->fetchAll(PDO::FETCH_ASSOC),
			fn () => $db->query('SELECT id, name FROM products ORDER BY id LIMIT 2', PDO::FETCH_NUM)->fetchAll(),
			fn () => $db->query('SELECT id, name FROM products ORDER BY id LIMIT 2', PDO::FETCH_CLASS, Row::class)->fetchAll(),
			fn () => $db->query('SELECT id, name FROM products ORDER BY id LIMIT 2', PDO::FETCH_COLUMN, 1)->fetchAll(),
			fn () => iterator_to_array($db->query('SELECT name FROM products WHERE id = 1')),
			fn () => $db->exec("INSERT INTO parents SELECT generate_series(1, 3)"),
			fn () => $db->exec("UPDATE parents SET id = id WHERE id > 100"),
			fn () => $db->query('SELECT * FROM nowhere'),
			fn () => $db->exec('SELECT * FROM nowhere'),
			fn () => $db->exec('INSERT INTO parents VALUES (1)'),
			fn () => $db->exec('INSERT INTO children VALUES (99)'), // fails at the commit
			fn () => $db->query('SELECT count(*) FROM children')->fetchColumn(),
			fn () => $db->prepare('SELECT name FROM products WHERE id = ?')->execute([3]),
			function () use ($db) { $s = $db->prepare('SELECT id FROM products WHERE id > :a AND name <> :b ORDER BY id'); $s->bindValue(':a', 6, PDO::PARAM_INT);
				$s->bindValue(':b', "x'y"); $s->execute(); return [$s->fetchAll(PDO::FETCH_COLUMN), $s->rowCount(), $s->columnCount(), $s->errorCode()]; },
			function () use ($db) { $s = $db->prepare('SELECT 1 / ?::int'); return $s === false ? false : [$s->execute([0]), $s->errorCode(), $db->errorCode()]; },
			function () use ($db) { $s = $db->prepare('SELECT ?::int'); $s->execute([1]); $a = $s->fetchAll(); $s->execute([2]); return [$a, $s->fetchAll()]; },
			function () use ($db) { $s = $db->prepare("SELECT '?' || ':a' || '--' || ?", [PDO::ATTR_CURSOR => PDO::CURSOR_FWDONLY]); $s->execute(['/*']); return $s->fetchColumn(); },
			function () use ($db) { $s = $db->prepare('SELECT id FROM products ORDER BY id', [PDO::ATTR_CURSOR => PDO::CURSOR_SCROLL]); return [$s->execute(), $s->fetch(PDO::FETCH_NUM, PDO::FETCH_ORI_LAST)]; },
			function () use ($db) { $s = $db->prepare('SELECT 1', [PDO::ATTR_STATEMENT_CLASS => [MyStatement::class, ['x']]]); return [get_class($s), $s->tag, $s->execute()]; },
			fn () => $db->getAttribute(PDO::ATTR_STATEMENT_CLASS),
			fn () => <keep> ?: $db->setAttribute(PDO::ATTR_STATEMENT_CLASS, [MyStatement::class, ['y']]),
			fn () => <keep> ?: [get_class($db->query('SELECT 1')), get_class($db->prepare('SELECT 1')), $db->prepare('SELECT 1')->tag],
			fn () => <keep> ?: $db->setAttribute(PDO::ATTR_STATEMENT_CLASS, [PDOStatement::class]),
			fn () => $db->query(''), fn () => $db->exec(''), fn () => $db->prepare('')?->execute(),
			fn () => $db->exec('VACUUM parents'), fn () => $db->exec('CREATE TABLE t (a int); INSERT INTO t VALUES (1); DROP TABLE t'),
			fn () => $db->exec("-- a comment\n  /* another; */ SELECT 1"), fn () => $db->query('(SELECT 1) UNION (SELECT 2) ORDER BY 1;')->fetchAll(),
			fn () => $db->beginTransaction(), fn () => $db->beginTransaction(), fn () => $db->exec('INSERT INTO parents VALUES (7)'),
			fn () => $db->query('SELECT max(id) FROM parents')->fetchColumn(), fn () => $db->rollBack(), fn () => $db->rollBack(),
			fn () => $db->query('SELECT max(id) FROM parents')->fetchColumn(),
			fn () => $db->beginTransaction(), fn () => $db->exec('SELECT * FROM nowhere'), fn () => $db->query('SELECT 1'), fn () => $db->rollBack(),
			fn () => $db->beginTransaction(), fn () => $db->exec('SET TRANSACTION ISOLATION LEVEL SERIALIZABLE'), fn () => $db->query('SHOW transaction_isolation')->fetchColumn(), fn () => $db->commit(),
			fn () => $db->exec('BEGIN ISOLATION LEVEL REPEATABLE READ'), fn () => $db->query('SHOW transaction_isolation')->fetchColumn(), fn () => $db->exec('DELETE FROM parents WHERE id = 3'), fn () => $db->exec('COMMIT'),
			fn () => $db->query('SELECT count(*) FROM parents')->fetchColumn(), fn () => $db->lastInsertId('nowhere_seq'),
			fn () => $db->exec('DELETE FROM parents'), fn () => $db->quote("a'b"),
		] as $f) $say[] = $all($f);
		ob_end_clean(); echo implode($say); $db = null;
	}`

// TestPDO: a page that uses the agent's PDO sees what it sees with PHP's, in every way to connect, with and without
// the right to ask for plans; and each statement carries the id.
func TestPDO(t *testing.T) {
	requireTools(t)
	pg := startPostgres(t)
	bouncer := pg.startPgBouncer(t)
	direct := "pgsql:host=" + pg.Dir + ";dbname=postgres;user="
	for _, c := range []struct {
		name, dsn string
		env       map[string]string
		persists  bool
		plans     bool // the server logs plans of the page
		pooled    bool
	}{
		{"direct", direct + "app", nil, false, true, false},
		{"direct with options", direct + "app;options='-c work_mem=1MB'", nil, false, true, false},
		{"not sampled", direct + "app", map[string]string{"BITVILLE_SAMPLE_RATE": "0"}, false, false, false},
		{"no right", direct + "poor", nil, false, false, false},
		{"persistent", direct + "app", nil, true, true, true},
		{"persistent, no right", direct + "poor", nil, true, false, true},
		{"PgBouncer", "pgsql:host=" + bouncer + ";port=6432;user=x;dbname=app", map[string]string{"BITVILLE_PGBOUNCER": "1"}, false, true, true},
		{"PgBouncer, no right", "pgsql:host=" + bouncer + ";port=6432;user=x;dbname=poor", map[string]string{"BITVILLE_PGBOUNCER": "1"}, false, false, true},
		{"PgBouncer that nobody told of", "pgsql:host=" + bouncer + ";port=6432;user=x;dbname=app", nil, false, false, true},
		{"off", direct + "app", map[string]string{"BITVILLE_ENABLED": "0"}, false, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			code := func(class string) string {
				// PDO's prepared statements fail behind PgBouncer 1.18.
				return strings.NewReplacer("<class>", class, "<dsn>", fmt.Sprintf("%q", c.dsn), "<keep>", fmt.Sprint(c.persists), "<disable>", fmt.Sprint(c.pooled)).Replace(same)
			}
			before := len(pg.plans(t))
			want, _, err := script{code: code("PDO"), env: map[string]string{"BITVILLE_ENABLED": "0"}}.run(t)
			require.NoError(t, err, "%s", want)
			require.Len(t, pg.plans(t), before)
			got, records, err := script{code: code(`Bitville\PDO`), env: c.env}.run(t)
			require.NoError(t, err, "%s", got)
			require.Equal(t, want, got)
			require.Greater(t, strings.Count(got, "\n"), 6*50)

			plans := pg.plans(t)[before:]
			if !c.plans {
				require.Empty(t, plans)
				return
			}
			require.Len(t, records, 1)
			require.Greater(t, len(plans), 6*15)
			for _, p := range plans {
				id := records[0]["correlation_id"]
				require.Equal(t, id, p.AppName)
				if !p.Nested && !strings.HasPrefix(p.Query, "SELECT CURRVAL") { // a foreign key's, and lastInsertId's, have no comment
					require.Equal(t, []any{id, "01"}, []any{p.ID, p.Flag}, p.Query)
				}
			}
		})
	}
}

// TestPlansOfThePage: every statement of a sampled page that has a plan is logged once, under its id, and nobody
// else's: two clients, one of them without the agent, take turns on PgBouncer's only connection.
func TestPlansOfThePage(t *testing.T) {
	requireTools(t)
	pg := startPostgres(t)
	bouncer := pg.startPgBouncer(t)
	direct, pooled := "pgsql:host="+pg.Dir+";dbname=postgres;user=app", "pgsql:host="+bouncer+";port=6432;user=x;dbname=app"
	const page = `
		$o = [PDO::ATTR_EMULATE_PREPARES => <emulate>, PDO::PGSQL_ATTR_DISABLE_PREPARES => <disable>];
		$db = new Bitville\PDO(<dsn>, options: $o); $other = new PDO(<dsn>, options: $o);
		$other->exec('SELECT 0');
		$db->exec('SELECT 1'); $other->exec('SELECT 0');
		$db->query('SELECT stock(2)')->fetchAll(); $other->exec('SELECT 0');
		$s = $db->prepare('SELECT 3 + ?'); $s->execute([1]); $s->execute([2]); $other->exec('SELECT 0');
		$db->beginTransaction(); $db->exec('SELECT 4'); $db->exec('SELECT 5'); $db->commit(); $other->exec('SELECT 0');
		$db->exec('BEGIN'); $db->exec('SELECT 6'); $db->exec('COMMIT'); $other->exec('SELECT 0');
		try { $db->exec('SELECT 7 / 0'); } catch (PDOException) {} $other->exec('SELECT 0');
		echo $other->query('SHOW auto_explain.log_min_duration')->fetchColumn(), ' ', $other->query('SHOW application_name')->fetchColumn();`
	for _, c := range []struct{ name, dsn, emulate, disable, pgbouncer string }{
		{"direct", direct, "false", "false", "0"},
		{"direct, emulated", direct, "true", "false", "0"},
		{"PgBouncer, emulated", pooled, "true", "false", "1"},
		{"PgBouncer, no prepares", pooled, "false", "true", "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code := strings.NewReplacer("<dsn>", fmt.Sprintf("%q", c.dsn), "<emulate>", c.emulate, "<disable>", c.disable).Replace(page)
			for _, rate := range []string{"1", "0"} {
				before := len(pg.plans(t))
				r := script{code: code, env: map[string]string{"BITVILLE_SAMPLE_RATE": rate, "BITVILLE_SLOW_MS": "0", "BITVILLE_PGBOUNCER": c.pgbouncer}}.one(t, "-1 ")
				var queries []string
				for _, p := range pg.plans(t)[before:] {
					require.Equal(t, r["correlation_id"], p.AppName)
					if !p.Nested {
						require.Equal(t, r["correlation_id"], p.ID)
						queries = append(queries, p.Query)
					}
				}
				if rate == "0" {
					require.Empty(t, queries)
					continue
				}
				for i, q := range queries { // an emulated prepare has its values in it, in one of two spellings
					queries[i] = strings.NewReplacer("$1", "?", "'1'", "?", "'2'", "?").Replace(q)
				}
				require.Equal(t, []string{"SELECT 1", "SELECT stock(2)", "SELECT 3 + ?", "SELECT 3 + ?", "SELECT 4", "SELECT 5", "SELECT 6"}, queries)
				require.EqualValues(t, "10", r["queries"], "the BEGIN and COMMIT that the page wrote, and the one that failed")
			}
		})
	}
}

// TestConnect: what the agent adds to a connection leaves the page's own settings as they are, and a server that
// cannot be reached is asked once.
func TestConnect(t *testing.T) {
	requireTools(t)
	pg := startPostgres(t)
	dsn := "pgsql:host=" + pg.Dir + ";dbname=postgres;user=app"
	show := func(add string) string {
		return fmt.Sprintf(`$db = new Bitville\PDO(%q); foreach (['application_name', 'work_mem', 'my.path', 'auto_explain.log_min_duration'] as $n) echo $db->query("SELECT coalesce(current_setting('$n', true), '-')")->fetchColumn(), "\n";`, dsn+add) +
			`echo Bitville\id();`
	}
	for _, c := range []struct{ name, add, pgoptions, want string }{
		{"nothing", "", "", "4MB\n-\n0\n"},
		{"an end", ";", "", "4MB\n-\n0\n"},
		{"options", ";options='-c work_mem=1MB -c my.path=a\\\\ b'", "", "1MB\na b\n0\n"},
		{"options in one word", ";options=--work_mem=1MB", "", "1MB\n-\n0\n"},
		{"PGOPTIONS", "", "-c work_mem=1MB -c my.path=it\\'s", "1MB\nit's\n0\n"},
		{"a name of its own", ";application_name=shop", "", "4MB\n-\n0\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, _, err := script{code: show(c.add), env: map[string]string{"PGOPTIONS": c.pgoptions}}.run(t)
			require.NoError(t, err, "%s", out)
			name, rest, _ := strings.Cut(out, "\n")
			require.Equal(t, c.want+name, rest, "and application_name is the id")
		})
	}
	t.Run("asked once", func(t *testing.T) {
		// A database that is not there: each try is a FATAL line in the server's log.
		script{code: fmt.Sprintf(`try { new Bitville\PDO(%q); } catch (PDOException $e) { echo $e->getCode(); }`, "pgsql:host="+pg.Dir+";dbname=nowhere;user=app")}.one(t, "7")
		pg.plans(t)
		require.Equal(t, 1, strings.Count(string(pg.Log(t)), `database \"nowhere\" does not exist`))
	})
}
