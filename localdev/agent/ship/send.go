package ship

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"
)

const (
	firstPause = 500 * time.Millisecond // after the first failure, doubled by each that follows
	lastPause  = 30 * time.Second
	maxPause   = time.Hour // that a listener may ask for by Retry-After

	refusedPause = time.Minute // between two tries of what the listener refuses for a reason that people mend
	refusedFor   = time.Hour   // after that it is kept aside

	lookEvery = 2 * time.Second // between two looks at what people have moved in the folders
	lastTries = 3 * time.Second // for what can still be sent when the process ends
)

// streamState is how the listener treats one stream. It is Run's.
type streamState struct {
	until    time.Time // nothing is tried before
	refused  time.Time // since when it is refused; zero when it is not
	isProven bool      // the listener has taken a batch of it
	key      int       // which of the project's keys is used
}

// Run sends what is in the spool until ctx ends, and then for three seconds more what the listener takes at once.
func (s *Shipper) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		s.look()
		b, wait := s.next(false)
		if b != nil {
			s.send(ctx, b)
			continue
		}
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-time.After(wait):
		}
		s.tellLate()
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastTries)
	defer cancel()
	for last.Err() == nil {
		b, _ := s.next(true)
		if b == nil {
			break
		}
		s.send(last, b)
	}
	return nil
}

// Drain returns when all is sent or kept aside, or when ctx ends, with its error. Run must run.
func (s *Shipper) Drain(ctx context.Context) error {
	for tick := time.Tick(20 * time.Millisecond); ; {
		s.mu.Lock()
		s.sender.drains = true
		isEmpty := len(s.waiting)+len(s.growing) == 0
		s.mu.Unlock()
		if isEmpty {
			return nil
		}
		s.ring()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick:
		}
	}
}

// look finds from time to time what people have moved into the folders, or away.
func (s *Shipper) look() {
	if now := s.cfg.Now(); now.Sub(s.sender.looked).Abs() >= lookEvery {
		s.sender.looked = now
		s.mu.Lock()
		err := s.list()
		s.mu.Unlock()
		if err == nil {
			_, _, err = s.Take(s.spool)
		}
		if err != nil {
			s.cfg.Log.Error("the spool cannot be read", "error", err.Error())
		}
	}
}

// next returns the batch to send now, or how long there is none at least. all is for one that may still grow, too.
func (s *Shipper) next(all bool) (b *batch, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	wait = lookEvery
	later := func(at time.Time) bool { // it is not time yet
		if left := at.Sub(now); left > 0 {
			wait = min(wait, left)
			return true
		}
		return false
	}
	if later(s.sender.until) {
		return nil, wait
	}
	for _, b := range s.waiting {
		if !later(s.sender.stream(b.to).until) {
			s.sender.inFlight = b
			return b, 0
		}
	}
	for to, seg := range s.growing {
		if isWaiting := func(b *batch) bool { return b.to == to }; slices.ContainsFunc(s.waiting, isWaiting) || later(s.sender.stream(to).until) {
			continue
		}
		if all || s.sender.drains || !later(seg.began.Add(s.cfg.FlushInterval)) {
			if err := s.cut(seg); err != nil {
				s.cfg.Log.Error("the spool cannot be written", "error", err.Error())
				continue
			}
			s.sender.inFlight = s.waiting[len(s.waiting)-1]
			return s.sender.inFlight, 0
		}
	}
	return nil, wait
}

// send sends a batch and does what the answer asks for.
func (s *Shipper) send(ctx context.Context, b *batch) {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.sender.inFlight = nil
	}()
	body, err := os.ReadFile(filepath.Join(s.spool, b.name()))
	if errors.Is(err, fs.ErrNotExist) { // somebody has moved it
		s.mu.Lock()
		s.forget(b)
		s.mu.Unlock()
		return
	}
	if err == nil {
		a := s.sender.post(ctx, b.to, body)
		if a.err != nil && ctx.Err() != nil {
			return // it is sent again when the process is
		}
		err = s.settle(b, body, a)
	}
	if err != nil {
		s.cfg.Log.Error("the spool cannot be worked on", "file", b.name(), "error", err.Error())
		s.sender.pause(s.cfg.Now(), 0)
	}
}

// pause keeps from sending: for as long as the listener asks, or longer with each failure that follows another.
func (s *sender) pause(now time.Time, asked time.Duration) {
	pause := lastPause
	if s.failures < 10 {
		pause = min(pause, firstPause<<s.failures)
	}
	s.failures++
	pause = pause/2 + rand.N(pause/2) // so that many agents do not come back at one time
	if asked > 0 {
		pause = min(asked, maxPause) + rand.N(firstPause)
	}
	s.until = now.Add(pause)
}
