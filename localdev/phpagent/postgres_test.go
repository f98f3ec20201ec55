package phpagent

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// postgres is a server of its own on a Unix socket, whose auto_explain logs nothing of itself.
type postgres struct{ dir string }

const postgresConf = `
listen_addresses = ''
unix_socket_directories = '%[1]s'
fsync = off
logging_collector = on
log_destination = jsonlog
log_directory = '%[1]s'
log_filename = 'postgres.log'
log_rotation_age = 0
log_rotation_size = 0
shared_preload_libraries = auto_explain
auto_explain.log_min_duration = -1
auto_explain.log_format = json
auto_explain.log_analyze = on
auto_explain.log_nested_statements = on
`

// The role app may ask for plans, the role poor may not.
const shopSQL = `
CREATE TABLE products AS SELECT id, id % 3 AS category, 'Product ' || id AS name FROM generate_series(1, 9) AS id;
CREATE TABLE parents (id int PRIMARY KEY);
CREATE TABLE children (parent int REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
CREATE FUNCTION stock(product int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT sum(n) FROM generate_series(1, product) AS n); END $$;
CREATE ROLE app LOGIN;
CREATE ROLE poor LOGIN;
GRANT SET ON PARAMETER auto_explain.log_min_duration TO app;
GRANT ALL ON ALL TABLES IN SCHEMA public TO app, poor;
GRANT CREATE ON SCHEMA public TO app, poor;`

func startPostgres(t testing.TB) *postgres {
	t.Helper()
	pg := &postgres{serversDir(t)}
	initdb := exec.Command("/usr/lib/postgresql/15/bin/initdb", "--pgdata="+pg.dir+"/data", "--auth=trust", "--username=postgres",
		"--encoding=UTF8", "--no-locale", "--no-sync")
	initdb.Dir, initdb.Env, initdb.SysProcAttr = pg.dir, []string{"PATH=" + os.Getenv("PATH")}, asServer(t)
	out, err := initdb.CombinedOutput()
	require.NoError(t, err, "%s", out)
	conf, err := os.OpenFile(pg.dir+"/data/postgresql.conf", os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = fmt.Fprintf(conf, postgresConf, pg.dir)
	require.NoError(t, err)
	require.NoError(t, conf.Close())
	startServer(t, pg.dir, os.Interrupt, "/usr/lib/postgresql/15/bin/postgres", "-D", pg.dir+"/data")
	awaitServer(t, pg.dir, func() bool {
		return exec.Command("/usr/lib/postgresql/15/bin/pg_isready", "-q", "-h", pg.dir).Run() == nil
	})
	pg.psql(t, shopSQL)
	return pg
}

func (pg *postgres) psql(t testing.TB, sql string) string {
	t.Helper()
	cmd := exec.Command("/usr/lib/postgresql/15/bin/psql", "-XAt", "-v", "ON_ERROR_STOP=1", "-h", pg.dir, "-U", "postgres", "-d", "postgres", "-c", sql)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

// startPgBouncer puts PgBouncer before it, in transaction mode, with one connection for all clients. It returns the
// folder of its socket.
func (pg *postgres) startPgBouncer(t testing.TB) string {
	t.Helper()
	dir := serversDir(t)
	file := filepath.Join(dir, "pgbouncer.ini")
	// With auth_type any a client's user counts for nothing: each role has a database's name of its own.
	config := "[databases]\napp = host=" + pg.dir + " dbname=postgres user=app\npoor = host=" + pg.dir + " dbname=postgres user=poor\n" +
		"[pgbouncer]\nunix_socket_dir = " + dir + "\nlisten_port = 6432\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 1\n"
	require.NoError(t, os.WriteFile(file, []byte(config), 0o644)) //nolint:gosec // read by another user
	startServer(t, dir, os.Interrupt, "/usr/sbin/pgbouncer", file)
	awaitServer(t, dir, func() bool { return canDial("unix", filepath.Join(dir, ".s.PGSQL.6432")) })
	return dir
}

func canDial(network, address string) bool {
	conn, err := net.Dial(network, address)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// logged is a statement whose plan Postgres has logged.
type logged struct {
	ID      string // of the comment in front
	Flag    string
	Query   string
	AppName string
	Nested  bool
}

var comment = regexp.MustCompile(`^(?:DECLARE \w+ SCROLL CURSOR WITH HOLD FOR )?/\*traceparent='00-([0-9a-f]{32})-[0-9a-f]{16}-(0[01])'\*/ `)

// plans returns what was logged up to now: the collector writes behind the statements, in their order.
func (pg *postgres) plans(t testing.TB) (out []logged) {
	t.Helper()
	last := fmt.Sprintf("the last line %d", time.Now().UnixNano())
	pg.psql(t, "DO $$ BEGIN RAISE LOG '"+last+"'; END $$")
	var text []byte
	require.Eventually(t, func() bool {
		var err error
		text, err = os.ReadFile(pg.dir + "/postgres.json")
		return err == nil && bytes.Contains(text, []byte(last))
	}, 10*time.Second, 5*time.Millisecond)
	lines := bufio.NewScanner(bytes.NewReader(text[:bytes.LastIndexByte(text, '\n')+1]))
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var entry struct {
			Message, Context string
			Name             string `json:"application_name"`
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &entry))
		_, plan, ok := strings.Cut(entry.Message, " plan:\n")
		if !ok {
			continue
		}
		var p struct {
			Query string `json:"Query Text"`
		}
		require.NoError(t, json.Unmarshal([]byte(plan), &p))
		l := logged{Query: p.Query, AppName: entry.Name, Nested: entry.Context != ""}
		if m := comment.FindStringSubmatch(p.Query); m != nil {
			l.ID, l.Flag, l.Query = dashed(m[1]), m[2], strings.TrimPrefix(p.Query, m[0])
		}
		out = append(out, l)
	}
	return out
}

func dashed(hex string) string {
	return strings.Join([]string{hex[:8], hex[8:12], hex[12:16], hex[16:20], hex[20:]}, "-")
}

// serversDir is a short one, for sockets, that the servers' user owns.
func serversDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "phpagent-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if who := asServer(t); who != nil {
		require.NoError(t, os.Chown(dir, int(who.Credential.Uid), int(who.Credential.Gid)))
	}
	require.NoError(t, os.Chmod(dir, 0o755)) //nolint:gosec // other users' sockets
	return dir
}

// asServer is a user other than root, since Postgres and PgBouncer refuse to run as root.
func asServer(t testing.TB) *syscall.SysProcAttr {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	require.NoError(t, err)
	var who syscall.Credential
	_, err = fmt.Sscan(u.Uid+" "+u.Gid, &who.Uid, &who.Gid)
	require.NoError(t, err)
	return &syscall.SysProcAttr{Credential: &who}
}

// startServer runs a program until the test ends. What it prints goes to dir/output.
func startServer(t testing.TB, dir string, stop os.Signal, name string, args ...string) *exec.Cmd {
	t.Helper()
	output, err := os.Create(dir + "/output")
	require.NoError(t, err)
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, []string{"PATH=" + os.Getenv("PATH")}, output, output
	if !strings.Contains(name, "fpm") && !strings.Contains(name, "nginx") {
		cmd.SysProcAttr = asServer(t)
	}
	require.NoError(t, cmd.Start())
	require.NoError(t, output.Close())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(stop)
		timer := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		timer.Stop()
	})
	return cmd
}

func awaitServer(t testing.TB, dir string, isUp func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if isUp() {
			return
		}
	}
	said, _ := os.ReadFile(dir + "/output")
	t.Fatalf("a server did not come up:\n%s", said)
}

func (pg *postgres) log(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(pg.dir + "/postgres.json")
	require.NoError(t, err)
	return string(text)
}
