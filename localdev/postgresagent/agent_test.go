package postgresagent

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

func startListener(t testing.TB) *listenertest.Listener {
	t.Helper()
	l := listenertest.New(t, binary, "")
	l.Start(t)
	return l
}

// stored returns what the listener has of the agent, once it has as many records.
func stored(t testing.TB, l *listenertest.Listener, n int, columns string) (rows [][]string) {
	t.Helper()
	read := func() int {
		rows = sqlitetest.Query(t, l.DBPath, "SELECT "+columns+" FROM profiling_data WHERE source = 'postgres_agent' ORDER BY timestamp, id")
		return len(rows)
	}
	for deadline := time.Now().Add(30 * time.Second); read() < n && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(300 * time.Millisecond) // for what must not come
	read()
	var lines []string
	for _, row := range rows {
		lines = append(lines, strings.Join(row, "|"))
	}
	require.Len(t, rows, n, "%s", strings.Join(lines[:min(len(lines), 50)], "\n"))
	return rows
}
