package ship

import (
	"bufio"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bitville/listener/shared/auth"
)

// TestMain fails when a goroutine outlives the tests. It is also the process that TestKilled kills.
func TestMain(m *testing.M) {
	if dir := os.Getenv("SHIP_TEST_DIR"); dir != "" {
		putForever(dir, os.Getenv("SHIP_TEST_URL"), os.Getenv("SHIP_TEST_CA"))
		return
	}
	goleak.VerifyTestMain(m)
}

// putForever puts and sends records, and prints the number of each when it is on disk.
func putForever(dir, url, ca string) {
	s, err := Open(Config{
		Dir: dir, URL: url, CAPath: ca, Stream: Stream{"php", "shop"}, MaxBytes: 64 << 20, FlushInterval: time.Millisecond, Log: slog.New(slog.DiscardHandler),
		Now: time.Now, Counts: Uncounted, Keys: func() ([]auth.Key, error) { return []auth.Key{{Project: "shop", Secret: "the-shop"}}, nil },
	})
	if err != nil {
		panic(err)
	}
	go func() { _ = s.Run(neverEnds{}) }()
	for n := 0; ; n += 3 {
		base := fmt.Sprintf("%d-%d", os.Getpid(), n)
		line := func(i int) []byte {
			return fmt.Appendf(nil, `{"project":"shop","id":"%s-%d","filler":"%s"}`, base, i, strings.Repeat(base, n%300))
		}
		if err := s.Put(line(0), line(1), line(2)); err != nil {
			panic(err)
		}
		fmt.Println(base)
	}
}

// neverEnds is a context of a process that is killed.
type neverEnds struct{}

func (neverEnds) Deadline() (at time.Time, ok bool) { return at, false }
func (neverEnds) Done() <-chan struct{}             { return nil }
func (neverEnds) Err() error                        { return nil }
func (neverEnds) Value(any) any                     { return nil }

// TestKilled kills a process that puts and sends, again and again at any point: whatever it was told to be on disk arrives, and
// whole.
func TestKilled(t *testing.T) {
	l := newListener(t)
	dir := t.TempDir()
	promised := map[string]bool{}
	for round := range 8 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "SHIP_TEST_DIR="+dir, "SHIP_TEST_URL="+l.URL, "SHIP_TEST_CA="+l.ca)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		cmd.Stderr = os.Stderr
		require.NoError(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for n := 0; n <= 7*round && lines.Scan(); n++ {
			promised[lines.Text()] = true
		}
		time.Sleep(time.Duration(round) * time.Millisecond)
		require.NoError(t, cmd.Process.Kill())
		for lines.Scan() {
			promised[lines.Text()] = true
		}
		require.ErrorContains(t, cmd.Wait(), "signal: killed")
	}
	h := newHarness(t, l, func(cfg *Config) { cfg.Dir, cfg.Stream = dir, Stream{"php", "shop"} })
	h.run(t)
	require.NoError(t, h.Drain(t.Context()))
	arrived := strings.Join(l.lines(), "\n")
	require.Greater(t, len(promised), 7*8)
	for base := range promised {
		for i := range 3 {
			require.Contains(t, arrived, fmt.Sprintf(`"id":"%s-%d"`, base, i))
		}
	}
	for _, line := range l.lines() {
		require.True(t, strings.HasPrefix(line, `{"project":"shop",`) && strings.HasSuffix(line, `"}`), line)
	}
	require.Empty(t, h.files(t, "rejected"))
}

// TestTorn: a batch that a crash has left half-written is cut behind its last whole member, wherever it was torn.
func TestTorn(t *testing.T) {
	l := newListener(t)
	h := newHarness(t, l)
	require.NoError(t, h.Put(rec(0), rec(1)))
	require.NoError(t, h.Put(rec(2)))
	name, _ := h.only(t, "spool", ".gz")
	whole, err := os.ReadFile(filepath.Join(h.spool, name))
	require.NoError(t, err)
	first, lines := wholeMembers(whole)
	require.Equal(t, []int{len(whole), 3}, []int{int(first), lines})
	require.NoError(t, h.Close())
	for size := range len(whole) + 3 {
		dir := t.TempDir()
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "spool"), 0o700))
		torn := append(append([]byte{}, whole...), "\x1f\x8b\x08"...)[:size] // the kernel may have grown the file beyond
		require.NoError(t, os.WriteFile(filepath.Join(dir, "spool", name), torn, 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "spool", newFile+"x"), torn, 0o600))
		h.cfg.Dir = dir
		h.open(t)
		left := h.files(t, "spool")
		switch {
		case len(left) == 0:
			require.Less(t, size, len(whole)/2+20)
		default:
			require.Len(t, left, 1)
			data, err := os.ReadFile(filepath.Join(dir, "spool", left[0]))
			require.NoError(t, err)
			all, err := linesOf(data)
			require.NoError(t, err, "what is left is whole")
			require.Equal(t, h.waiting[0].records, len(all))
			if size >= len(whole) {
				require.Len(t, all, 3)
			} else {
				require.Len(t, all, 2)
			}
		}
		require.NoError(t, h.Close())
	}
}

// TestOneProcess: a second one is told that the folder is in use.
func TestOneProcess(t *testing.T) {
	h := newHarness(t, newListener(t))
	_, err := Open(h.cfg)
	require.ErrorContains(t, err, "the folder "+h.cfg.Dir+" is used by another agent")
	require.True(t, InUse(h.cfg.Dir))
	require.NoError(t, h.Close())
	require.False(t, InUse(h.cfg.Dir))
	h.open(t)
}
