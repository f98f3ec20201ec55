package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// writes are what each call of Write got. While block is held, or fail is set, nothing is taken.
type writes struct {
	block sync.Mutex

	mu   sync.Mutex
	all  []string
	take int // bytes that a failing Write takes
	fail error
}

func (w *writes) Write(p []byte) (int, error) {
	w.block.Lock()
	defer w.block.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fail != nil {
		n := min(w.take, len(p))
		w.all = append(w.all, string(p[:n]))
		return n, w.fail
	}
	w.all = append(w.all, string(p))
	return len(p), nil
}

func (w *writes) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.all, "")
}

func (w *writes) failing(take int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.take, w.fail = take, err
}

func newTestLog(t *testing.T, out *writes) *logWriter {
	l := newLogWriter(out)
	l.tell = func(lost int) { fmt.Fprintf(l, "lost %d\n", lost) }
	t.Cleanup(func() { l.Close(10 * time.Second) })
	return l
}

func TestLogLinesAreWrittenTogether(t *testing.T) {
	out := &writes{}
	l := newTestLog(t, out)
	out.block.Lock()
	fmt.Fprint(l, "1\n")
	time.Sleep(5 * burstGap) // the goroutine has it
	fmt.Fprint(l, "2\n")
	fmt.Fprint(l, "3\n")
	out.block.Unlock()
	require.Eventually(t, func() bool { return out.text() == "1\n2\n3\n" }, 5*time.Second, time.Millisecond, "nobody has to ask for the rest")
	require.Len(t, out.all, 2)
}

// A reader that does not read holds up nobody, and costs the lines for which there is no room.
func TestLogThatIsNotRead(t *testing.T) {
	out := &writes{}
	l := newTestLog(t, out)
	out.block.Lock()
	fmt.Fprint(l, "first\n")
	time.Sleep(5 * burstGap)
	line := strings.Repeat("x", logRoom/4-1) + "\n"
	for range 7 {
		fmt.Fprint(l, line)
	}
	out.block.Unlock()
	require.Eventually(t, func() bool { return strings.HasSuffix(out.text(), "\nlost 3\n") }, 5*time.Second, time.Millisecond)
	require.Equal(t, "first\n"+strings.Repeat(line, 4)+"lost 3\n", out.text())
}

// What a failing disk or a reader that is gone costs is told once lines are written again, and no line is glued to
// what was left of another.
func TestLogThatFails(t *testing.T) {
	out := &writes{}
	l := newTestLog(t, out)
	out.failing(3, errors.New("no space left on device"))
	fmt.Fprint(l, "12345\n")
	require.Eventually(t, func() bool { return out.text() == "123" }, 5*time.Second, time.Millisecond)
	out.failing(0, nil)
	fmt.Fprint(l, "next\n")
	require.Eventually(t, func() bool { return out.text() == "123\nnext\nlost 1\n" }, 5*time.Second, time.Millisecond, "%q", out.text())
}

func TestLogEndsWithoutItsReader(t *testing.T) {
	out := &writes{}
	l := newLogWriter(out)
	out.block.Lock()
	fmt.Fprint(l, "1\n")
	l.Close(10 * time.Millisecond)
	require.Empty(t, out.text())
	out.block.Unlock()
	<-l.ended
	require.Equal(t, "1\n", out.text())
}

// No line is lost or torn when many write.
func TestLogOfMany(t *testing.T) {
	var out bytes.Buffer
	l := newLogWriter(&out)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				_, _ = l.Write([]byte("a line\n"))
			}
		})
	}
	all.Wait()
	l.Close(10 * time.Second)
	require.Equal(t, strings.Repeat("a line\n", 8000), out.String())
}
