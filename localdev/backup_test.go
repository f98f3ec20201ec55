package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

// `listener backup` runs beside a listener that takes records. What was acknowledged before it began is in the
// file, and the file is a listener's database.
func TestBackup(t *testing.T) {
	l := startListener(t)
	const before = 50
	for n := range before {
		status, answer := l.Post(strings.NewReader(phpRecord(n)))
		require.Equal(t, 200, status, answer)
	}
	var wg sync.WaitGroup
	var stop atomic.Bool
	wg.Go(func() {
		for n := before; !stop.Load(); n++ {
			if status, answer := l.Post(strings.NewReader(phpRecord(n))); status != 200 {
				t.Errorf("ingest while a backup runs: %d %s", status, answer)
				return
			}
		}
	})
	file := filepath.Join(t.TempDir(), "backup.db")
	out, err := command(t, l.env(), "backup", file)
	stop.Store(true)
	wg.Wait()
	require.NoError(t, err, out)
	var line struct {
		Msg, File string
		Rows      int
		Bytes     int64
	}
	require.NoError(t, json.Unmarshal([]byte(out), &line), out)
	require.Equal(t, "backup", line.Msg)
	require.Equal(t, file, line.File)
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, info.Size(), line.Bytes)
	names := map[string]bool{}
	for _, row := range sqlitetest.Query(t, file, "SELECT name FROM profiling_data") {
		names[row[0]] = true
	}
	require.Len(t, names, line.Rows)
	for n := range before {
		require.True(t, names["/page/"+strconv.Itoa(n)], "record %d", n)
	}

	out, err = command(t, l.env("BITVILLE_DB_PATH="+file), "show", "00000000-0000-4000-8000-000000000007")
	require.NoError(t, err, out)
	require.Contains(t, out, `"name":"/page/7"`)
	out, err = command(t, l.env(), "backup", file)
	require.Error(t, err)
	require.Contains(t, out, "there is a file of that name already")
	out, err = command(t, []string{"BITVILLE_DB_URL=http://127.0.0.1:1"}, "backup", file+"2")
	require.Error(t, err)
	require.Contains(t, out, "listener: backup copies a database file (BITVILLE_DB_PATH)")

	restored := listenertest.Listener{Binary: binary, Key: l.Key, DBPath: file, CAFile: l.CAFile, Client: l.Client}
	restored.Start(t, "BITVILLE_TLS_CERT_PATH="+l.CAFile, "BITVILLE_TLS_KEY_PATH="+filepath.Join(filepath.Dir(l.CAFile), "key.pem"))
	status, answer := restored.Post(strings.NewReader(phpRecord(1_000_000)))
	require.Equal(t, 200, status, answer)
	require.NoError(t, restored.Stop(syscall.SIGTERM))
}
