// Package libsqltest gives tests a real libSQL server: tursodb, with a database in a temporary folder.
package libsqltest

import (
	"bytes"
	"database/sql"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/store/libsql"
	"github.com/bitville/listener/shared/store/storetest"
)

// Server is a running tursodb.
type Server struct {
	URL  string // http://127.0.0.1:port
	Path string // of the database file

	addr string
	cmd  *exec.Cmd
	out  *bytes.Buffer
}

// Start starts a server with an empty database, which is stopped when the test ends. Where tursodb is not
// installed the test is skipped, but under CI=true it fails.
func Start(t testing.TB) *Server {
	t.Helper()
	return StartIn(t, t.TempDir())
}

// StartIn is Start, with the database in a folder that is there already.
func StartIn(t testing.TB, dir string) *Server {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := free.Addr().String()
	require.NoError(t, free.Close())
	s := &Server{URL: "http://" + addr, Path: filepath.Join(dir, "remote.db"), addr: addr}
	s.Restart(t)
	t.Cleanup(s.Kill)
	return s
}

// New starts a server and returns a database on it.
func New(t testing.TB) (*libsql.DB, *Server) {
	t.Helper()
	s := Start(t)
	return Open(t, s.URL), s
}

// Open returns the database at a URL, which is closed when the test ends.
func Open(t testing.TB, url string) *libsql.DB {
	t.Helper()
	db, err := libsql.New(libsql.Config{URL: url, Now: time.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// Restart starts the server again, on the same address and file, after Kill.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.out = &bytes.Buffer{}
	s.cmd = exec.Command(binary(t), s.Path, "--sync-server", s.addr)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	require.NoError(t, s.cmd.Start())
	ready := func() bool {
		resp, err := http.Get(s.URL)
		if err == nil {
			_ = resp.Body.Close()
		}
		return err == nil
	}
	if !waitFor(10*time.Second, ready) {
		s.Kill()
		t.Fatalf("tursodb did not start:\n%s", s.out)
	}
}

// Kill ends the server at once, as a crash would.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// Query runs a statement on the server and returns the rows as text. NULL is "".
func (s *Server) Query(t testing.TB, statement string, args ...any) [][]string {
	t.Helper()
	db, err := sql.Open("libsql", s.URL)
	require.NoError(t, err)
	defer db.Close()
	return storetest.Text(t, db, statement, args...)
}

func waitFor(limit time.Duration, done func() bool) bool {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if done() {
			return true
		}
	}
	return false
}

// binary finds tursodb where testdata/tools/libsql.sh puts it.
func binary(t testing.TB) string {
	t.Helper()
	_, file, _, _ := runtime.Caller(0)
	root := filepath.Join(filepath.Dir(file), "../../../..")
	if found, _ := filepath.Glob(filepath.Join(root, ".tools/turso@*/node_modules/@tursodatabase/cli-*/tursodb")); len(found) > 0 {
		return found[0]
	}
	const how = "needs a libSQL server: run 'bash testdata/tools/install.sh libsql'"
	if os.Getenv("CI") == "true" {
		t.Fatal(how)
	}
	t.Skip(how)
	return ""
}
