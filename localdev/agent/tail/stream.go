package tail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/bitville/listener/localdev/agent/pglog"
)

// Stream reads a log that is piped into the agent. There is nothing to go back to: what was read and not stored when the
// agent is killed is lost.
type Stream struct {
	formatOf func(beginning []byte) (pglog.Format, error)
	format   pglog.Format
	pieces   chan piece
	held     []byte
	offset   int64 // of held
	last     time.Time
	now      func() time.Time
}

type piece struct {
	bytes []byte
	err   error
}

// NewStream returns the log that r gives. formatOf tells the format, by the first bytes.
// It is read until ctx ends.
func NewStream(ctx context.Context, r io.Reader, formatOf func([]byte) (pglog.Format, error), now func() time.Time) *Stream {
	s := &Stream{formatOf: formatOf, pieces: make(chan piece), now: now}
	go func() {
		for {
			b := make([]byte, 64<<10)
			n, err := r.Read(b)
			select {
			case s.pieces <- piece{b[:n], err}:
			case <-ctx.Done():
				return
			}
			if err != nil {
				close(s.pieces)
				return
			}
		}
	}()
	return s
}

// Next returns the entries that came, none when nothing came for a while. The error is io.EOF after the last.
func (s *Stream) Next(ctx context.Context) (items []Item, err error) {
	final := false
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case p, more := <-s.pieces:
		if !more {
			return nil, io.EOF
		}
		if p.err != nil && !errors.Is(p.err, io.EOF) {
			return nil, fmt.Errorf("read standard input: %w", p.err)
		}
		s.held, s.last, final = append(s.held, p.bytes...), s.now(), p.err != nil
	case <-time.After(100 * time.Millisecond):
		final = s.now().Sub(s.last) >= quiet && len(s.held) > 0 && s.held[len(s.held)-1] == '\n'
	}
	if s.format == nil {
		if bytes.IndexByte(s.held, '\n') < 0 && !final {
			return nil, nil
		}
		if s.format, err = s.formatOf(s.held); err != nil {
			return nil, err
		}
	}
	for len(s.held) > 0 {
		n := s.format.Next(s.held, final)
		if n == 0 {
			break
		}
		if entry, err := s.format.Parse(s.held[:n]); err == nil {
			items = append(items, Item{Entry: entry, Offset: s.offset})
		}
		s.held, s.offset = s.held[n:], s.offset+int64(n)
	}
	return items, nil
}

// Save does nothing: a stream cannot be read again.
func (*Stream) Save([]Item) error { return nil }

// Behind is 0: what waits in the pipe is not known.
func (*Stream) Behind() int64 { return 0 }

// Close does nothing: what was opened is the caller's.
func (*Stream) Close() {}
