package ship

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
)

// noise is a record that no compression makes smaller than about half.
func noise(n, size int) []byte {
	text := make([]byte, size)
	for i := range text {
		text[i] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"[rand.N(64)]
	}
	return fmt.Appendf(nil, `{"project":"shop","n":%d,"noise":"%s"}`, n, text)
}

// used is what the folders take on disk.
func (h *harness) used(t testing.TB) (n int64) {
	for _, folder := range []string{"spool", "rejected"} {
		for _, name := range h.files(t, folder) {
			info, err := os.Stat(filepath.Join(h.cfg.Dir, folder, name))
			require.NoError(t, err)
			n += onDisk(info.Size())
		}
	}
	return n
}

// TestBatchesAreCut holds every batch within the bounds of the listener, whatever the records are.
func TestBatchesAreCut(t *testing.T) {
	small := func(n int) []byte { return []byte(`{"project":"shop"}`) }
	for _, c := range []struct {
		name    string
		record  func(int) []byte
		n       int
		batches int // at least
	}{
		{"many", small, 12_001, 3},
		{"large", func(n int) []byte { return fmt.Appendf(nil, `{"project":"shop","n":"%s"}`, strings.Repeat("a", 3<<20)) }, 20, 3},
		{"incompressible", func(n int) []byte { return noise(n, 400<<10) }, 20, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newListener(t)
			h := newHarness(t, l)
			var records [][]byte
			for n := range c.n {
				records = append(records, c.record(n))
			}
			require.NoError(t, h.Put(records...))
			h.run(t)
			require.NoError(t, h.Drain(t.Context()))
			require.Len(t, l.lines(), c.n)
			require.GreaterOrEqual(t, len(l.got()), c.batches)
			for _, r := range l.got() {
				raw := 0
				for _, line := range r.lines {
					raw += len(line) + 1
				}
				require.LessOrEqual(t, len(r.body), maxWire)
				require.LessOrEqual(t, raw, maxRaw)
				require.LessOrEqual(t, len(r.lines), maxRecords)
			}
		})
	}
	t.Run("too large for any listener", func(t *testing.T) {
		l := newListener(t)
		h := newHarness(t, l)
		require.NoError(t, h.Put(rec(0), noise(1, 5<<20), rec(2)))
		h.run(t)
		require.NoError(t, h.Drain(t.Context()))
		require.Equal(t, []string{string(rec(0)), string(rec(2))}, l.lines())
		require.Equal(t, 1, h.counts.get("dropped too_large"))
		require.Len(t, h.logged(t, "records dropped"), 1)
	})
}

// TestBound: a full spool drops its oldest batches, counts and says it; or tells who puts to wait.
func TestBound(t *testing.T) {
	for _, dropOldest := range []bool{true, false} {
		t.Run(fmt.Sprint(dropOldest), func(t *testing.T) {
			l := newListener(t)
			h := newHarness(t, l, func(cfg *Config) { cfg.MaxBytes, cfg.DropOldest = 1<<20, dropOldest })
			var err error
			n := 0
			for ; n < 60 && err == nil; n++ {
				err = h.Put(noise(n, 40<<10))
				require.LessOrEqual(t, h.Bytes(), int64(1<<20))
				require.LessOrEqual(t, h.used(t), int64(1<<20))
			}
			require.Greater(t, h.Bytes(), int64(800<<10), "the bound is made use of")
			stop := h.run(t)
			defer stop()
			if !dropOldest {
				require.ErrorIs(t, err, ErrFull)
				require.NoError(t, h.Drain(t.Context()))
				require.Len(t, l.lines(), n-1, "nothing is lost")
				require.NoError(t, h.Put(rec(n)), "there is room again")
				require.Zero(t, h.counts.get("dropped spool_full"))
				return
			}
			require.NoError(t, err)
			require.NoError(t, h.Drain(t.Context()))
			dropped := h.counts.get("dropped spool_full")
			require.Equal(t, n, len(l.lines())+dropped)
			require.Contains(t, l.lines()[0], fmt.Sprintf(`"n":%d,`, dropped), "the oldest are dropped")
			said := h.logged(t, "records dropped")
			require.Len(t, said, 1, "once a minute at most")
			require.Equal(t, "WARN", said[0]["level"])
			require.Equal(t, "spool_full", said[0]["reason"])
			h.clock.add(dropsEvery)
			h.tellLate()
			all := 0
			for _, line := range h.logged(t, "records dropped") {
				require.Positive(t, line["bytes"])
				all += int(line["records"].(float64))
			}
			require.Equal(t, dropped, all, "each is said once")
		})
	}
}

// TestRejectedGoFirst: what was kept aside counts too, and goes before a Put is refused.
func TestRejectedGoFirst(t *testing.T) {
	l := newListener(t)
	l.set(status(400, "its words"))
	h := newHarness(t, l, func(cfg *Config) { cfg.MaxBytes = 1 << 20 })
	h.run(t)
	for n := range 40 {
		require.NoError(t, h.Put(noise(n, 40<<10)))
		require.NoError(t, h.Drain(t.Context()))
		require.LessOrEqual(t, h.used(t), int64(1<<20))
	}
	require.Positive(t, h.counts.get("dropped spool_full"))
	require.NotEmpty(t, h.files(t, "rejected"))
}

// TestDiskFull: on a full disk the same holds as at the bound, and nothing of what is on disk is damaged.
func TestDiskFull(t *testing.T) {
	for _, dropOldest := range []bool{true, false} {
		t.Run(fmt.Sprint(dropOldest), func(t *testing.T) {
			disk := listenertest.SmallDisk(t, "1m")
			l := newListener(t)
			h := newHarness(t, l, func(cfg *Config) { cfg.Dir, cfg.MaxBytes, cfg.DropOldest = disk, 2<<20, dropOldest })
			var err error
			n := 0
			for ; n < 60 && err == nil; n++ {
				err = h.Put(noise(n, 40<<10))
			}
			put := n
			if !dropOldest {
				require.ErrorIs(t, err, ErrFull)
				put--
			} else {
				require.NoError(t, err)
			}
			stop := h.run(t)
			require.NoError(t, h.Drain(t.Context()))
			stop()
			require.Equal(t, put, len(l.lines())+h.counts.get("dropped spool_full"))
			require.Equal(t, dropOldest, h.counts.get("dropped spool_full") > 0)
			require.NoError(t, h.Close())
		})
	}
}
