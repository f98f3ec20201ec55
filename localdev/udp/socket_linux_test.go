package udp

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

// Datagrams that come while nobody reads, more than the buffer holds.
func TestKernelDropsAreCounted(t *testing.T) {
	db, _ := sqlitetest.New(t)
	cfg := config(db)
	cfg.ReceiveBuffer = 16 << 10
	became := watched(&cfg)
	r, err := Listen(cfg)
	require.NoError(t, err)
	client := dial(t, r)
	const n = 300
	for i := range n {
		send(t, client, valid(i))
	}
	run(t, r)()
	require.Equal(t, n, became.all())
	require.Positive(t, became.drops(Kernel))
	require.Positive(t, became.accepted())
	require.Equal(t, map[Reason]int{Kernel: n - became.accepted()}, became.dropped)
}

// What the kernel drops is told while the receiver runs, and no datagram need come after it.
func TestKernelDropsAreCountedMeanwhile(t *testing.T) {
	cfg := config(nil)
	cfg.ReceiveBuffer = 1 // the kernel has a least size
	became := watched(&cfg)
	r, err := Listen(cfg)
	require.NoError(t, err)
	client := dial(t, r)
	const n = 100
	for range n {
		send(t, client, "noise")
	}
	stop := run(t, r)
	became.requireAll(t, n)
	require.Positive(t, became.drops(Kernel))
	stop()
	require.Equal(t, n, became.all(), "none is counted twice")
}

func TestReceiveBuffer(t *testing.T) {
	r, err := Listen(config(nil))
	require.NoError(t, err)
	defer r.conn.Close()
	granted, err := growBuffer(r.conn, 64<<10)
	require.NoError(t, err)
	require.Equal(t, 64<<10, granted)
}

func TestSmallReceiveBufferIsWarnedOf(t *testing.T) {
	for _, c := range []struct{ asked, lines int }{{64 << 10, 0}, {1 << 30, 1}} {
		cfg := config(nil)
		cfg.ReceiveBuffer = c.asked
		log := logged(&cfg, slog.LevelInfo)
		r, err := Listen(cfg)
		require.NoError(t, err)
		require.NoError(t, r.conn.Close())
		lines := log.lines(t, "the kernel's receive buffer for datagrams is smaller than asked for: a burst may be lost")
		require.Len(t, lines, c.lines)
		for _, line := range lines {
			require.Equal(t, "sysctl -w net.core.rmem_max=1073741824, and restart", line["remedy"])
			require.Greater(t, line["bytes"], 100e3)
			require.Less(t, line["bytes"], line["asked"])
		}
	}
}
