package intake

import (
	"errors"
	"net/http"
	"sync/atomic"

	"github.com/bitville/listener/shared/web"
)

const (
	smallBody   = 64 << 10 // bytes
	reserved    = 4        // one part in so many of a budget is kept for small bodies
	spare       = 16 << 20 // bytes of a budget above what the largest body needs
	perRequest  = 8 << 10  // bytes that a request takes without its body: buffers, headers, a goroutine
	maxWireRead = 64 << 10 // bytes made ready for a body before it arrives, whatever length it announces
)

// errBusy answers a request that there is no memory for now.
var errBusy error = &web.Error{
	Status: http.StatusServiceUnavailable,
	Text:   "Not stored: too much is being received at one time; send the same body again later",
	Header: http.Header{"Retry-After": {"1"}},
	Cause:  errors.New("the budget for bodies is used up"),
}

// budget bounds the bytes of all bodies that are held at one time, from the first byte that is read of one to
// the commit of its records, which point into it; and of long answers.
type budget struct {
	size int64
	used atomic.Int64
}

// share is what one request holds of a budget.
type share struct {
	of *budget
	n  int64
}

// take adds n bytes to the share. Large ones leave a part for small ones, so that a few big batches don't
// turn away the many.
func (s *share) take(n int64) error {
	limit := s.of.size
	if s.n+n > smallBody+perRequest {
		limit -= limit / reserved
	}
	if s.of.used.Add(n) > limit {
		s.of.used.Add(-n)
		return errBusy
	}
	s.n += n
	return nil
}

// give gives n bytes of the share back.
func (s *share) give(n int64) {
	s.of.used.Add(-n)
	s.n -= n
}

// giveAll gives the whole share back. It may be called twice.
func (s *share) giveAll() { s.give(s.n) }
