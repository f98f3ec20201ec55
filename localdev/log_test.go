package main

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// writes are what each call of Write got.
type writes struct {
	mu  sync.Mutex
	all []string
}

func (w *writes) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, string(p))
	return len(p), nil
}

func (w *writes) get() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.all...)
}

func TestBursts(t *testing.T) {
	out := &writes{}
	b := &bursts{w: out}
	line := func(text string) {
		n, err := b.Write([]byte(text))
		require.NoError(t, err)
		require.Equal(t, len(text), n)
	}
	burst := func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.last = time.Now().Add(time.Hour) // however slow this machine is, what follows is a burst
	}
	line("alone\n")
	require.Equal(t, []string{"alone\n"}, out.get(), "at once")
	burst()
	line("1\n")
	line("2\n")
	require.Eventually(t, func() bool { return len(out.get()) == 2 }, 5*time.Second, time.Millisecond, "nobody has to ask for the rest")
	require.Equal(t, "1\n2\n", out.get()[1])

	burst()
	line("3\n")
	require.NoError(t, b.Flush())
	require.Equal(t, "3\n", out.get()[2], "the end does not wait")
	require.NoError(t, b.Flush())
	require.Len(t, out.get(), 3)

	burst()
	line(strings.Repeat("x", burstRoom))
	require.Len(t, out.get(), 3)
	line("y")
	require.Len(t, out.get(), 4, "there is no more room")
}

// No line is lost or torn when many write.
func TestBurstsOfMany(t *testing.T) {
	var out bytes.Buffer
	b := &bursts{w: &out}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				_, _ = b.Write([]byte("a line\n"))
			}
		})
	}
	all.Wait()
	require.NoError(t, b.Flush())
	require.Equal(t, strings.Repeat("a line\n", 8000), out.String())
}
