package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
	"github.com/bitville/listener/shared/store/libsql/libsqltest"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

// command runs the built binary to its end.
func command(t testing.TB, env []string, args ...string) (out string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Env = append([]string{}, env...)
	data, err := cmd.CombinedOutput()
	return string(data), err
}

// env is what a command on the listener's database needs: no keys.
func (l *listener) env(more ...string) []string {
	return append([]string{"BITVILLE_DB_PATH=" + l.DBPath}, more...)
}

// `listener dev` needs no setting: its curl line works as printed, and the key, the certificate and the
// records are there the next time.
func TestDev(t *testing.T) {
	dir := t.TempDir()
	var firstCurl string
	for start := range 2 {
		cmd := exec.Command(binary, "dev")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "BITVILLE_LISTEN_ADDR=127.0.0.1:0")
		out := &listenertest.Log{}
		cmd.Stdout, cmd.Stderr = out, out
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		line := regexp.MustCompile(`(?m)^  (curl .*--cacert .*)$`)
		require.Eventually(t, func() bool { return line.MatchString(out.String()) }, 10*time.Second, 5*time.Millisecond)
		curl := line.FindStringSubmatch(out.String())[1]
		id, err := os.ReadFile(filepath.Join(dir, devDir, "record-id"))
		require.NoError(t, err)
		require.Contains(t, curl, string(id), "later commands name it by this file")
		time.Sleep(1100 * time.Millisecond) // another second, another record
		answer, err := exec.Command("bash", "-c", curl).CombinedOutput()
		require.NoError(t, err, "%s\n%s", curl, answer)
		require.Equal(t, `{"accepted":1,"duplicates":0,"rejected":[]}`+"\n", string(answer))
		db := regexp.MustCompile(`(?m)^The record as it is stored, in (.*):$`).FindStringSubmatch(out.String())[1]
		require.Len(t, sqlitetest.Query(t, db, "SELECT id FROM profiling_data"), start+1)
		show := regexp.MustCompile(`(?m)^  (BITVILLE_DB_PATH=\S+ \S+ show \S+)$`).FindStringSubmatch(out.String())[1]
		shown, err := exec.Command("bash", "-c", show).CombinedOutput()
		require.NoError(t, err, "%s\n%s", show, shown)
		require.Contains(t, string(shown), `"name":"/cart"`)
		credentials := regexp.MustCompile(`--cacert \S+ -H 'Authorization: Bearer \S+'`).FindString(curl)
		require.NotEmpty(t, credentials)
		if start == 1 {
			require.Equal(t, firstCurl, credentials)
		}
		firstCurl = credentials
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(t, cmd.Wait())
	}
	for name, mode := range map[string]os.FileMode{"api-key": 0o600, "read-key": 0o600, "key.pem": 0o600, "bitville.db": 0o600} {
		info, err := os.Stat(filepath.Join(dir, devDir, name))
		require.NoError(t, err)
		require.Equal(t, mode, info.Mode().Perm(), name)
	}
}

// agedRecord is the n-th of many records that are two hours old.
func agedRecord(n int) string {
	return regexp.MustCompile(`"timestamp":\d+`).ReplaceAllString(phpRecord(n), fmt.Sprintf(`"timestamp":%d`, time.Now().Add(-2*time.Hour).Unix()))
}

// `listener purge` works beside a running listener, on the same database.
func TestPurgeByHand(t *testing.T) {
	l := startListener(t)
	for n := range 3 {
		status, answer := l.Post(strings.NewReader(agedRecord(n)))
		require.Equal(t, 200, status, answer)
	}
	out, err := command(t, l.env("BITVILLE_RETENTION=1h"), "purge")
	require.NoError(t, err, out)
	var line struct {
		Msg         string
		RowsDeleted int `json:"rows_deleted"`
	}
	require.NoError(t, json.Unmarshal([]byte(out), &line))
	require.Equal(t, "purge", line.Msg)
	require.Equal(t, 3, line.RowsDeleted)
	status, answer := l.Post(strings.NewReader(phpRecord(4)))
	require.Equal(t, 200, status, answer)
	out, err = command(t, l.env("BITVILLE_DB_PATH="+l.DBPath+".missing"), "purge")
	require.Error(t, err)
	require.Contains(t, out, "look for the database (BITVILLE_DB_PATH): ")
	require.NoFileExists(t, l.DBPath+".missing")
}

func TestShow(t *testing.T) {
	l := startListener(t)
	status, answer := l.Post(strings.NewReader(strings.Replace(phpRecord(7), `"profiling_data"`, `"n": 9007199254740993,"profiling_data"`, 1)))
	require.Equal(t, 200, status, answer)
	out, err := command(t, l.env(), "show", "00000000000040008000000000000007")
	require.NoError(t, err, out)
	require.Equal(t, 1, strings.Count(out, "\n"))
	require.Contains(t, out, `"correlation_id":"00000000-0000-4000-8000-000000000007","project":"shop","source":"php_agent","timestamp":"20`)
	require.Contains(t, out, `"duration_ms":1,"name":"/page/7","attributes":{"n":9007199254740993},"profiling_data":{"main()":{"wt":7}}}`)
	for _, c := range []struct{ id, want string }{
		{"00000000-0000-4000-8000-000000000008", "listener: nothing is stored under 00000000-0000-4000-8000-000000000008\n"},
		{"7", "listener: show takes a correlation id: a UUID, or 32 hexadecimal digits\n"},
	} {
		out, err = command(t, l.env(), "show", c.id)
		require.Error(t, err)
		require.Equal(t, c.want, out)
	}
}

func TestShowFromAServer(t *testing.T) {
	server := libsqltest.Start(t)
	l := startListener(t, "BITVILLE_DB_PATH=", "BITVILLE_DB_URL="+server.URL)
	status, answer := l.Post(strings.NewReader(agedRecord(7)))
	require.Equal(t, 200, status, answer)
	out, err := command(t, []string{"BITVILLE_DB_URL=" + server.URL}, "show", "00000000-0000-4000-8000-000000000007")
	require.NoError(t, err, out)
	require.Contains(t, out, `"name":"/page/7","profiling_data":{"main()":{"wt":7}}}`)
	out, err = command(t, []string{"BITVILLE_DB_URL=" + server.URL, "BITVILLE_RETENTION=1h"}, "purge")
	require.NoError(t, err, out)
	require.Contains(t, out, `"rows_deleted":1,`)
}

// Every command has help and rejects what it does not know, in one line.
func TestCommands(t *testing.T) {
	all := []string{"serve", "dev", "check", "purge", "show", "slowest", "why", "trace", "routes", "statements", "backup", "agent", "version"}
	takes := []string{"show", "slowest", "why", "trace", "routes", "statements", "backup"} // an argument
	examples := []string{"slowest", "why", "trace", "routes", "statements"}
	require.Equal(t, len(all), reflect.TypeFor[commands]().NumField())
	for _, ask := range []string{"help", "-h", "-help", "--help"} {
		out, err := command(t, nil, ask)
		require.NoError(t, err)
		require.Contains(t, out, "Usage: listener <command>")
		require.Regexp(t, `UDP[^\n]*SQLite`, out)
		for _, name := range all {
			require.Regexp(t, `(?m)^  `+name+`\b.*  [A-Z]`, out)
			help, err := command(t, nil, strings.Fields(map[bool]string{true: "help " + name, false: name + " " + ask}[ask == "help"])...)
			require.NoError(t, err)
			require.Contains(t, help, "Usage: listener "+name)
			require.Equal(t, slices.Contains(examples, name), strings.Contains(help, "\n    listener "+name+" "), "an example of %s", name)
		}
	}
	for _, ask := range []string{"version", "-version", "--version"} {
		out, err := command(t, nil, ask)
		require.NoError(t, err)
		require.NotEmpty(t, strings.TrimSpace(out))
	}
	env := []string{"BITVILLE_API_KEY_SHOP=" + listenertest.Key, "BITVILLE_DB_PATH=" + filepath.Join(t.TempDir(), "db")}
	refused := [][]string{{"nonsense"}, {"-nonsense"}, {"help", "nonsense"}, {"show"}, {"why"}, {"trace"}, {"purge", "-forced"}}
	for _, name := range all {
		refused = append(refused, []string{name, "-nonsense"})
		if slices.Contains(takes, name) {
			refused = append(refused, []string{name, "one", "more"})
		} else {
			refused = append(refused, []string{name, "all"})
		}
	}
	for _, args := range refused {
		out, err := command(t, env, args...)
		var exit *exec.ExitError
		require.ErrorAs(t, err, &exit, args)
		require.Equal(t, 1, exit.ExitCode())
		require.Regexp(t, `^listener: [^\n]*; see listener help\n$`, out, args)
	}
	for _, option := range []string{"-force", "--force"} {
		path := filepath.Join(t.TempDir(), "b.db")
		sqlitetest.Grow(t, path, 1, time.Now(), time.Now())
		out, err := command(t, []string{"BITVILLE_DB_PATH=" + path}, "purge", option)
		require.NoError(t, err, out)
	}
}
