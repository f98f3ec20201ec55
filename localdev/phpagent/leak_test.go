// Package phpagent has the tests of infra/agents/php, which run it in PHP as sites do.
package phpagent

import (
	"os"
	"os/exec"
	"testing"

	"github.com/bitville/listener/localdev/listenertest"
)

var binary string // the built listener, made once for all tests

func TestMain(m *testing.M) { os.Exit(listenertest.Main(m, &binary)) }

// requireTools skips the test on a machine without PHP, its extensions, or the servers around it, except in CI, where
// nothing may be left out.
func requireTools(t testing.TB) {
	t.Helper()
	const check = `foreach (['curl', 'pdo_pgsql', 'pdo_sqlite', 'tideways_xhprof', 'excimer', 'apcu'] as $e) extension_loaded($e) || exit("no PHP extension $e");`
	out, err := exec.Command("php", "-r", check).CombinedOutput()
	if err != nil || len(out) > 0 {
		missing(t, string(out))
	}
	for _, program := range []string{"/usr/sbin/php-fpm8.2", "/usr/sbin/nginx", "/usr/sbin/pgbouncer", "/usr/lib/postgresql/15/bin/postgres"} {
		if _, err := os.Stat(program); err != nil {
			missing(t, err.Error())
		}
	}
}

func missing(t testing.TB, what string) {
	t.Helper()
	message := "needs PHP, nginx, PgBouncer and PostgreSQL 15, run: sudo bash testdata/tools/install.sh php phpsite postgres (" + what + ")"
	if os.Getenv("CI") == "true" {
		t.Fatal(message)
	}
	t.Skip(message)
}
