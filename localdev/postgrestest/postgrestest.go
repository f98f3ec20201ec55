// Package postgrestest runs PostgreSQL 15 and PgBouncer for tests, each on a Unix socket in a folder of its own.
package postgrestest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Server is a running PostgreSQL. Its superuser is postgres, as is its database.
type Server struct {
	Dir string // holds the socket, and the log as postgres.json, or postgres.csv, or postgres.log
	DSN string // of the superuser

	process *process
}

// conf is what all servers have. auto_explain is loaded and explains what its log_min_duration says.
const conf = `
listen_addresses = ''
unix_socket_directories = '<dir>'
fsync = off
logging_collector = on
log_destination = jsonlog
log_directory = '<dir>'
log_filename = 'postgres.log'
log_file_mode = 0644
log_rotation_age = 0
log_rotation_size = 0
log_timezone = UTC
compute_query_id = on
shared_preload_libraries = auto_explain
auto_explain.log_min_duration = -1
auto_explain.log_format = json
auto_explain.log_analyze = on
auto_explain.log_nested_statements = on
`

// Start runs a server until the test ends. settings are lines of postgresql.conf; they replace what all
// servers have. <dir> in them is Dir.
func Start(t testing.TB, settings string) *Server {
	t.Helper()
	dir := Dir(t)
	s := &Server{Dir: dir, DSN: "host=" + dir + " user=postgres dbname=postgres"}
	initdb := Command("initdb", "--pgdata="+dir+"/data", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = dir, AsServer(t)
	out, err := initdb.CombinedOutput()
	require.NoError(t, err, "%s", out)
	file, err := os.OpenFile(dir+"/data/postgresql.conf", os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = file.WriteString(strings.ReplaceAll(conf+settings+"\n", "<dir>", dir))
	require.NoError(t, err)
	require.NoError(t, file.Close())
	s.launch(t)
	t.Cleanup(func() { s.process.stop() })
	return s
}

func (s *Server) launch(t testing.TB) {
	t.Helper()
	server := Command("postgres", "-D", s.Dir+"/data")
	server.SysProcAttr = AsServer(t)
	s.process = launch(t, s.Dir, os.Interrupt, server)
	Await(t, s.Dir, func() bool { return Command("pg_isready", "-q", "-h", s.Dir).Run() == nil })
}

// Restart stops the server and starts it again.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.process.stop()
	s.launch(t)
}

// SQL runs statements as the superuser, and returns what psql prints: rows alone, columns with | between them.
func (s *Server) SQL(t testing.TB, sql string) string {
	t.Helper()
	out, err := Command("psql", "-XAt", "-v", "ON_ERROR_STOP=1", "-h", s.Dir, "-U", "postgres", "-d", "postgres", "-c", sql).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

// Log returns the server's jsonlog up to now. The collector writes it behind the statements, in their order: once a
// last line stands in it, all before it do.
func (s *Server) Log(t testing.TB) []byte {
	t.Helper()
	last := fmt.Sprintf("the last line %d", time.Now().UnixNano())
	s.SQL(t, "DO $$ BEGIN RAISE LOG '"+last+"'; END $$")
	var log []byte
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(s.Dir + "/postgres.json")
		before, _, found := bytes.Cut(text, []byte(last))
		log = before[:bytes.LastIndexByte(before, '\n')+1]
		return err == nil && found
	}, 10*time.Second, 5*time.Millisecond, "the log's last line did not come")
	return log
}

// PgBouncer puts PgBouncer before the server, in transaction mode, with one connection for all clients. It returns the
// folder of its socket; its port is 6432. Each role has a database of its name.
func (s *Server) PgBouncer(t testing.TB, roles ...string) string {
	t.Helper()
	dir := Dir(t)
	file := filepath.Join(dir, "pgbouncer.ini")
	config := "[databases]\n"
	for _, role := range roles { // with auth_type any a client's user counts for nothing
		config += role + " = host=" + s.Dir + " dbname=postgres user=" + role + "\n"
	}
	config += "[pgbouncer]\nunix_socket_dir = " + dir + "\nlisten_port = 6432\nauth_type = any\npool_mode = transaction\ndefault_pool_size = 1\n"
	require.NoError(t, os.WriteFile(file, []byte(config), 0o644)) //nolint:gosec // read by another user
	Run(t, dir, os.Interrupt, exec.Command("/usr/sbin/pgbouncer", file))
	Await(t, dir, func() bool {
		conn, err := net.Dial("unix", filepath.Join(dir, ".s.PGSQL.6432"))
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
	return dir
}

// Command returns a command of Debian's PostgreSQL 15, or else of the one in PATH. Its environment holds no PGPORT or
// PGOPTIONS that the developer has set.
func Command(name string, args ...string) *exec.Cmd {
	path := filepath.Join("/usr/lib/postgresql/15/bin", name)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		path = name
	}
	cmd := exec.Command(path, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	return cmd
}

// Missing tells what a test with PostgreSQL lacks on this machine, "" when it lacks nothing.
func Missing() string {
	if err := Command("postgres").Err; err != nil {
		return err.Error()
	}
	return ""
}

// Require skips the test on a machine without PostgreSQL, except in CI, where nothing may be left out.
func Require(t testing.TB) {
	t.Helper()
	if missing := Missing(); missing != "" {
		message := "needs PostgreSQL 15, run: sudo bash testdata/tools/install.sh postgres (" + missing + ")"
		if os.Getenv("CI") == "true" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
}

// WithoutSettings takes the lines that begin so out of postgresql.conf, and starts the server again.
func (s *Server) WithoutSettings(t testing.TB, prefix string) error {
	t.Helper()
	path := s.Dir + "/data/postgresql.conf"
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	text = regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(prefix)+`.*\n`).ReplaceAll(text, nil)
	if err := os.WriteFile(path, text, 0o600); err != nil { //nolint:gosec // its own
		return err
	}
	s.Restart(t)
	return nil
}
