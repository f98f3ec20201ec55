package main

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"syscall"
	"time"
)

const (
	burstGap = 10 * time.Millisecond // lines that are closer together are written together
	logRoom  = 1 << 20               // bytes that may wait for whoever reads the log; lines beyond them are lost
)

// logWriter writes a log's lines from a goroutine of its own. A reader that is slow, stopped or gone, or a full disk,
// costs lines, which are counted and told, and holds up nobody who logs. Under load a system call for each line would
// cost as much as the line itself does: those of a burst are written together.
type logWriter struct {
	w    io.Writer
	tell func(lost int) // logs how many lines were lost, once lines are written again; set before the first Write

	mu      sync.Mutex
	waiting []byte
	lost    int

	wake  chan struct{} // of one place: lines wait
	stop  chan struct{} // closed by Close
	ended chan struct{}
	torn  bool // the last write ended within a line; the goroutine's
}

func newLogWriter(w io.Writer) *logWriter {
	l := &logWriter{w: w, tell: func(int) {}, wake: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{})}
	go l.run()
	return l
}

// Write takes one line. It never waits and never fails.
func (l *logWriter) Write(line []byte) (int, error) {
	l.mu.Lock()
	if len(l.waiting) > 0 && len(l.waiting)+len(line) > logRoom {
		l.lost++
	} else {
		l.waiting = append(l.waiting, line...)
	}
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default: // it knows
	}
	return len(line), nil
}

// Close writes what waits, for as long as wait at most. It is called once, when nobody writes any more.
func (l *logWriter) Close(wait time.Duration) {
	close(l.stop)
	select {
	case <-l.ended:
	case <-time.After(wait):
	}
}

func (l *logWriter) run() {
	defer close(l.ended)
	for {
		select {
		case <-l.stop:
			l.flush()
			l.flush() // that lines were lost
			return
		case <-l.wake:
		}
		l.flush()
		select {
		case <-l.stop:
		case <-time.After(burstGap):
		}
	}
}

// flush writes what waits, in one piece.
func (l *logWriter) flush() {
	l.mu.Lock()
	text := l.waiting
	l.waiting = nil
	l.mu.Unlock()
	if len(text) == 0 {
		return
	}
	if l.torn {
		text = append([]byte{'\n'}, text...)
	}
	n, err := l.write(text)
	if n > 0 {
		l.torn = text[n-1] != '\n'
	}
	l.mu.Lock()
	l.lost += bytes.Count(text[n:], []byte{'\n'})
	lost := 0
	if err == nil && len(l.waiting) < logRoom/2 { // there is room to tell
		lost, l.lost = l.lost, 0
	}
	l.mu.Unlock()
	if lost > 0 {
		l.tell(lost)
	}
}

// write writes all of the text to a pipe that somebody else has made non-blocking, too.
func (l *logWriter) write(text []byte) (n int, err error) {
	for {
		k, err := l.w.Write(text[n:])
		n += k
		if !errors.Is(err, syscall.EAGAIN) {
			return n, err
		}
		time.Sleep(burstGap)
	}
}
