package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// postgresCommand runs a program of Debian's PostgreSQL 15, or else the one in PATH. Its environment holds no
// PGPORT or PGOPTIONS that the developer has set.
func postgresCommand(name string, args ...string) *exec.Cmd {
	path := filepath.Join("/usr/lib/postgresql/15/bin", name)
	if _, err := os.Stat(path); err != nil {
		path = name
	}
	cmd := exec.Command(path, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	return cmd
}

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
log_timezone = UTC
compute_query_id = on
shared_preload_libraries = auto_explain
auto_explain.log_min_duration = 0
auto_explain.log_format = json
auto_explain.log_analyze = on
auto_explain.log_nested_statements = on
`

// startPostgres runs a server of its own on a Unix socket until the test ends.
func startPostgres(t *testing.T) *postgres {
	// In /tmp, for t.TempDir is closed to other users and may be longer than a socket's path can be.
	dir, err := os.MkdirTemp("/tmp", "agents-postgres-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	pg := &postgres{dir}

	initdb := postgresCommand("initdb", "--pgdata="+dir+"/data", "--auth=trust", "--username=postgres",
		"--encoding=UTF8", "--no-locale", "--no-sync")
	server := postgresCommand("postgres", "-D", dir+"/data")
	for _, cmd := range []*exec.Cmd{initdb, server} {
		cmd.Dir = dir // the test's own folder may be closed to the user below
		cmd.SysProcAttr = notRoot(t, dir)
	}
	out, err := initdb.CombinedOutput()
	require.NoError(t, err, "%s", out)
	conf, err := os.OpenFile(dir+"/data/postgresql.conf", os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = fmt.Fprintf(conf, postgresConf, dir)
	require.NoError(t, err)
	require.NoError(t, conf.Close())

	output, err := os.Create(dir + "/output")
	require.NoError(t, err)
	defer output.Close()
	server.Stdout, server.Stderr = output, output
	require.NoError(t, server.Start())
	exited := make(chan struct{})
	go func() {
		_ = server.Wait()
		close(exited)
	}()
	t.Cleanup(func() {
		_ = server.Process.Signal(os.Interrupt)
		select {
		case <-exited:
		case <-time.After(10 * time.Second):
			_ = server.Process.Kill()
			<-exited
		}
	})
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		if postgresCommand("pg_isready", "-q", "-h", dir).Run() == nil {
			return pg
		}
		select {
		case <-exited:
			deadline = time.Now()
		case <-time.After(20 * time.Millisecond):
		}
	}
	said, _ := os.ReadFile(dir + "/output")
	logged, _ := os.ReadFile(dir + "/postgres.json")
	t.Fatalf("postgres did not come up:\n%s%s", said, logged)
	return nil
}

// notRoot gives dir to a user other than root, since Postgres refuses to run as root, and returns what
// starts a process as that user.
func notRoot(t *testing.T, dir string) *syscall.SysProcAttr {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	require.NoError(t, err)
	var who syscall.Credential
	_, err = fmt.Sscan(u.Uid, &who.Uid)
	require.NoError(t, err)
	_, err = fmt.Sscan(u.Gid, &who.Gid)
	require.NoError(t, err)
	require.NoError(t, os.Chown(dir, int(who.Uid), int(who.Gid)))
	return &syscall.SysProcAttr{Credential: &who}
}

func (pg *postgres) psql(t *testing.T, sql string) {
	out, err := postgresCommand("psql", "-X", "-v", "ON_ERROR_STOP=1", "-h", pg.dir, "-U", "postgres",
		"-d", "postgres", "-c", sql).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// log returns the server's log up to now. The collector writes it behind the statements, in their order:
// once a last statement stands in it, all before it do.
func (pg *postgres) log(t *testing.T) []byte {
	const last = "SELECT 'the last line'"
	pg.psql(t, last)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		log, err := os.ReadFile(pg.dir + "/postgres.json")
		require.NoError(t, err)
		if before, _, found := bytes.Cut(log, []byte(last)); found {
			return before[:bytes.LastIndexByte(before, '\n')+1]
		}
	}
	t.Fatal("the log's last line did not come")
	return nil
}
