package pgagent

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/agent/tail"
)

// follower is an agent on a folder, which can be stopped and started anew.
type follower struct {
	t    *testing.T
	dir  string
	full error // what Put returns

	mu      sync.Mutex
	records []map[string]any
	stop    func()
}

func (f *follower) start() {
	f.t.Helper()
	ctx, cancel := context.WithCancel(f.t.Context())
	source, err := tail.Follow(tail.Config{
		Open: tail.OpenLocal(f.dir, "jsonlog"), Path: filepath.Join(f.dir, "positions"), FromStart: true, Wait: time.Millisecond, Log: slog.New(slog.DiscardHandler), Now: time.Now,
	})
	require.NoError(f.t, err)
	ended := make(chan error, 1)
	go func() {
		ended <- Run(ctx, Config{
			Project: "shop", Own: "bitville-agent", Source: source, Log: slog.New(slog.DiscardHandler), Now: time.Now, Ready: func() {}, Read: func(int) {},
			Put: func(all ...[]byte) error {
				f.mu.Lock()
				defer f.mu.Unlock()
				if f.full != nil {
					return f.full
				}
				for _, one := range all {
					var r map[string]any
					require.NoError(f.t, json.Unmarshal(one, &r))
					f.records = append(f.records, r)
				}
				return nil
			},
		})
	}()
	f.stop = func() {
		cancel()
		require.NoError(f.t, <-ended)
		source.Close()
	}
}

func (f *follower) append(text string) {
	f.t.Helper()
	file, err := os.OpenFile(filepath.Join(f.dir, "1.json"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(f.t, err)
	_, err = file.WriteString(text)
	require.NoError(f.t, err)
	require.NoError(f.t, file.Close())
}

// ids waits for n records, and returns their ids by line.
func (f *follower) ids(n int) map[float64]any {
	f.t.Helper()
	all := map[float64]any{}
	require.Eventually(f.t, func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return len(f.records) >= n
	}, 10*time.Second, time.Millisecond)
	f.mu.Lock()
	defer f.mu.Unlock()
	require.Len(f.t, f.records, n)
	for _, r := range f.records {
		all[r["line_num"].(float64)] = r["correlation_id"]
	}
	return all
}

// TestHeldOverARestart: a nested statement that waits for its caller while the agent ends is not lost, and not sent under
// another id; nor is what came around it sent again.
func TestHeldOverARestart(t *testing.T) {
	f := &follower{t: t, dir: t.TempDir()}
	f.start()
	const nested = "PL/pgSQL function f() line 1"
	f.append(entry(t, "6b.1", 1, map[string]any{"message": planOf("0.1", "n"), "context": nested}))
	f.append(entry(t, "6b.2", 2, map[string]any{"message": planOf("0.1", byB+"c")}) + entry(t, "6b.2", 3, map[string]any{"message": planOf("0.1", byB+"c")}))
	f.append(entry(t, "6b.3", 9, map[string]any{"message": planOf("0.1", "SELECT pg_ls_logdir()"), "application_name": "bitville-agent"}))
	require.Equal(t, map[float64]any{2: idB, 3: idB}, f.ids(2))
	for range 3 {
		f.stop()
		f.start()
	}
	f.append(entry(t, "6b.1", 4, map[string]any{"message": planOf("1.0", byA+"c")}))
	require.Equal(t, map[float64]any{1: idA, 2: idB, 3: idB, 4: idA}, f.ids(4))
	f.stop()
}

// TestFullSpool: while records cannot be kept nothing is read on, and nothing is lost.
func TestFullSpool(t *testing.T) {
	f := &follower{t: t, dir: t.TempDir(), full: errors.New("the spool is full")}
	f.start()
	f.append(entry(t, "6b.1", 1, map[string]any{"message": "duration: 1.000 ms  statement: " + byA + "c"}))
	time.Sleep(50 * time.Millisecond)
	f.append(entry(t, "6b.1", 2, map[string]any{"message": "duration: 1.000 ms  statement: " + byA + "c"}))
	f.stop()
	f.full = nil
	f.start()
	require.Equal(t, map[float64]any{1: idA, 2: idA}, f.ids(2))
	f.stop()
}
