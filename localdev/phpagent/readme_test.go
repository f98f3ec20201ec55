package phpagent

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// snippet is the PHP block of a section of the agent's README, with its uses of namespaces made one file.
func snippet(t *testing.T, section string) string {
	t.Helper()
	text, err := os.ReadFile("../../infra/agents/php/README.md")
	require.NoError(t, err)
	m := regexp.MustCompile("(?s)\n### " + section + "\n.*?```php\n(.*?)```").FindSubmatch(text)
	require.NotNil(t, m, section)
	return string(m[1])
}

// TestREADME runs what the README gives to users of frameworks, with the frameworks as Debian has them: Doctrine DBAL 3.6,
// Illuminate 8.83, Symfony 5.4.
func TestREADME(t *testing.T) {
	requireTools(t)
	for _, file := range []string{"Doctrine/DBAL/autoload.php", "Illuminate/Database/autoload.php", "Illuminate/Routing/autoload.php", "Symfony/Component/HttpKernel/autoload.php"} {
		if _, err := os.Stat("/usr/share/php/" + file); err != nil {
			missing(t, err.Error())
		}
	}
	pg := startPostgres(t)
	requirePlans := func(t *testing.T, before int, id any, want ...string) {
		t.Helper()
		var queries []string
		for _, p := range pg.plans(t)[before:] {
			require.Equal(t, []any{id, id}, []any{p.ID, p.AppName})
			queries = append(queries, p.Query)
		}
		require.Equal(t, want, queries)
	}
	quiet := []string{"error_reporting=24575"} // Debian's packages use what PHP 8.2 deprecates

	t.Run("Doctrine DBAL", func(t *testing.T) {
		before := len(pg.plans(t))
		code := strings.Replace(snippet(t, "Doctrine DBAL"), ";", "; require '/usr/share/php/Doctrine/DBAL/autoload.php';", 1) + fmt.Sprintf(`
			$c = new \Doctrine\DBAL\Configuration(); $c->setMiddlewares([new BitvilleMiddleware()]);
			$db = \Doctrine\DBAL\DriverManager::getConnection(['driver' => 'pdo_pgsql', 'host' => %q, 'dbname' => 'postgres', 'user' => 'app'], $c);
			echo $db->fetchOne('SELECT name FROM products WHERE id = ?', [3]), ' ';
			$db->transactional(fn ($db) => $db->executeStatement('UPDATE products SET name = name WHERE id = ?', [3]));
			try { $db->fetchOne('SELECT * FROM nowhere'); } catch (\Doctrine\DBAL\Exception\TableNotFoundException) { echo 'not there'; }`, pg.Dir)
		r := script{code: code, ini: quiet}.one(t, "Product 3 not there")
		require.EqualValues(t, "3", r["queries"])
		requirePlans(t, before, r["correlation_id"], "SELECT name FROM products WHERE id = $1", "UPDATE products SET name = name WHERE id = $1")
	})

	t.Run("Laravel", func(t *testing.T) {
		before := len(pg.plans(t))
		code := fmt.Sprintf(`
			require '/usr/share/php/Illuminate/Database/autoload.php'; require '/usr/share/php/Illuminate/Routing/autoload.php'; require '/usr/share/php/Illuminate/Events/autoload.php';
			$app = new Illuminate\Container\Container(); $events = new Illuminate\Events\Dispatcher($app); $app->instance('events', $events);
			(new class ($app) { function __construct(public $app) {} function register() { %s } })->register();
			$capsule = new Illuminate\Database\Capsule\Manager($app); $capsule->setEventDispatcher($events);
			$capsule->addConnection(['driver' => 'pgsql', 'host' => %q, 'database' => 'postgres', 'username' => 'app', 'charset' => 'utf8']);
			$db = $capsule->getConnection();
			echo $db->table('products')->where('id', 3)->value('name'), ' ';
			$db->transaction(fn () => $db->update('update products set name = name where id = ?', [3]));
			$router = new Illuminate\Routing\Router($events, $app); $router->get('product/{id}', fn ($id) => "page $id");
			echo $router->dispatch(Illuminate\Http\Request::create('/product/7'))->getContent();`, snippet(t, "Laravel"), pg.Dir)
		r := script{code: code, ini: quiet}.one(t, "Product 3 page 7")
		require.Equal(t, "/product/{id}", r["route"])
		requirePlans(t, before, r["correlation_id"], `select "name" from "products" where "id" = $1 limit 1`, "update products set name = name where id = $1")
	})

	t.Run("Symfony", func(t *testing.T) {
		code := snippet(t, "Symfony") + `
			require '/usr/share/php/Symfony/Component/HttpKernel/autoload.php';
			$request = \Symfony\Component\HttpFoundation\Request::create('/product/7'); $request->attributes->set('_route', 'product_show');
			$request->attributes->set('_controller', fn () => new \Symfony\Component\HttpFoundation\Response('page'));
			$events = new \Symfony\Component\EventDispatcher\EventDispatcher(); $events->addListener('kernel.controller', new BitvilleRoute());
			$kernel = new \Symfony\Component\HttpKernel\HttpKernel($events, new \Symfony\Component\HttpKernel\Controller\ControllerResolver());
			$kernel->handle($request)->sendContent();`
		require.Equal(t, "product_show", script{code: code, ini: quiet}.one(t, "page")["route"])
	})

	t.Run("the signed header", func(t *testing.T) {
		text, err := os.ReadFile("../../infra/agents/php/README.md")
		require.NoError(t, err)
		m := regexp.MustCompile(`(?m)^    (t=.*curl -H) ("X-Bitville-Sample: [^\n]*\)") https`).FindSubmatch(text)
		require.NotNil(t, m)
		sh := strings.Replace(string(m[1]), "curl -H", "echo", 1) + " " + string(m[2])
		cmd := exec.Command("bash", "-c", sh)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "KEY=k"}
		out, err := cmd.Output()
		require.NoError(t, err)
		_, value, _ := strings.Cut(strings.TrimSpace(string(out)), ": ")
		r := script{env: map[string]string{"BITVILLE_API_KEY": "k", "BITVILLE_SAMPLE_RATE": "0", "HTTP_X_BITVILLE_SAMPLE": value}}.one(t, "")
		require.Equal(t, "header", r["sampled"])
	})
}

// TestREADMENamesEverySetting, with its default.
func TestREADMENamesEverySetting(t *testing.T) {
	requireTools(t)
	text, err := os.ReadFile("../../infra/agents/php/README.md")
	require.NoError(t, err)
	out, _, err := script{code: `foreach (get_object_vars(new Bitville\Settings()) as $n => $v)
		echo 'BITVILLE_', strtoupper(preg_replace('/[A-Z]/', '_$0', $n)), ' ', is_bool($v) ? (int) $v : $v, "\n";`}.run(t)
	require.NoError(t, err)
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		if value == "" || strings.HasPrefix(value, "udp:") {
			require.Contains(t, string(text), "`"+name+"`")
			require.Contains(t, string(text), value)
		} else {
			require.Regexp(t, "`"+name+"` \\(`?"+regexp.QuoteMeta(value)+"`?\\)", string(text))
		}
	}
}
