package main

import (
	"io"
	"sync"
	"time"
)

const (
	burstGap  = 10 * time.Millisecond // lines that are closer together are written together
	burstRoom = 1 << 20               // bytes that may wait; more are written at once
)

// bursts writes a log's lines: one that comes alone at once, those of a burst together. Under load a system call for
// each line would cost as much as the line itself does.
type bursts struct {
	w io.Writer

	mu      sync.Mutex
	waiting []byte
	flusher *time.Timer // runs while lines wait
	last    time.Time   // when something was last written
}

// Write takes one line. Its error is that of writing what waited, with the line or before it.
func (b *bursts) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(b.waiting, line...)
	if alone := b.flusher == nil && time.Since(b.last) >= burstGap; alone || len(b.waiting) > burstRoom {
		return len(line), b.flushLocked()
	}
	if b.flusher == nil {
		b.flusher = time.AfterFunc(burstGap, func() { _ = b.Flush() })
	}
	return len(line), nil
}

// Flush writes what waits.
func (b *bursts) Flush() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.flushLocked()
}

func (b *bursts) flushLocked() error {
	if b.flusher != nil {
		b.flusher.Stop()
		b.flusher = nil
	}
	if len(b.waiting) == 0 {
		return nil
	}
	_, err := b.w.Write(b.waiting)
	b.waiting, b.last = b.waiting[:0], time.Now()
	return err
}
