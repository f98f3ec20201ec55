package ship

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/bitville/listener/shared/record"
)

// stored is what a 200 says.
type stored struct {
	Accepted   *int               `json:"accepted"`
	Duplicates int                `json:"duplicates"`
	Rejected   []record.Rejection `json:"rejected"`
}

// settle does with a batch what the answer asks for. An error is one of the disk: the batch is then sent again.
func (s *Shipper) settle(b *batch, body []byte, a answer) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var result stored
	if a.status == http.StatusOK && (json.Unmarshal(a.text, &result) != nil || result.Accepted == nil) {
		a = answer{err: fmt.Errorf("the answer is not a listener's: %q", a.words())}
	}
	now := s.cfg.Now()
	s.isDown = a.err != nil
	if a.err != nil || a.status >= 500 || a.status == http.StatusTooManyRequests || a.status == http.StatusRequestTimeout {
		s.sender.pause(now, a.retryAfter)
		s.sayAway(a)
		if a.status == http.StatusInternalServerError { // a fault that this body alone may meet: others go first
			s.putLast(b)
		}
		return nil
	}
	s.sender.failures, s.sender.until = 0, now
	if s.sender.away {
		s.sender.away = false
		s.cfg.Log.Info("listener back")
	}
	switch a.status {
	case http.StatusOK:
		return s.done(b, body, a, result)
	case http.StatusBadRequest:
		return s.setAside(b, a)
	case http.StatusRequestEntityTooLarge:
		if b.records > 1 {
			return s.halve(b, body)
		}
		return s.setAside(b, a)
	}
	return s.refuse(b, now, a)
}

// sayAway says once that the listener cannot be reached, or takes nothing at this time.
func (s *Shipper) sayAway(a answer) {
	if s.sender.away {
		return
	}
	s.sender.away = true
	msg := "listener unreachable"
	if a.err == nil {
		msg = "listener takes nothing now"
	}
	s.cfg.Log.Warn(msg, "url", s.cfg.URL, "status", a.status, "error", a.words())
}

// done removes a batch whose records are stored, but for those that were rejected.
func (s *Shipper) done(b *batch, body []byte, a answer, result stored) error {
	if len(result.Rejected) > 0 {
		lines, err := linesOf(body)
		if err != nil {
			return err
		}
		var rejected [][]byte
		for _, r := range result.Rejected {
			if r.Index >= 0 && r.Index < len(lines) {
				rejected = append(rejected, lines[r.Index])
			}
		}
		if err := s.writeAside(b.to, rejected, a); err != nil {
			return err
		}
	}
	if err := s.remove(b); err != nil {
		return err
	}
	s.cfg.Counts.Sent("accepted", *result.Accepted)
	s.cfg.Counts.Sent("duplicate", result.Duplicates)
	stream := s.sender.stream(b.to)
	isMended := !stream.refused.IsZero()
	stream.refused, stream.until = time.Time{}, time.Time{}
	if isMended || !stream.isProven {
		stream.isProven = true
		return s.bringBack(b.to)
	}
	return nil
}

// refuse tries the project's next key, and when all were tried waits for people to mend the key or the URL. What is refused for
// an hour is kept aside.
func (s *Shipper) refuse(b *batch, now time.Time, a answer) error {
	stream := s.sender.stream(b.to)
	if stream.refused.IsZero() {
		stream.refused = now
	}
	if b.refused.IsZero() {
		b.refused = stream.refused
	}
	if a.status == http.StatusUnauthorized {
		tried := s.sender.keysOf(b.to)
		if stream.key++; stream.key < len(tried) {
			return nil // the next one at once
		}
		stream.key = 0
		if err := s.sender.readKeys(); err != nil {
			s.cfg.Log.Error("the keys cannot be read", "error", err.Error())
		}
		if !slices.Equal(tried, s.sender.keysOf(b.to)) {
			return nil // those at once
		}
	}
	if now.Sub(b.refused) >= refusedFor {
		return s.setAside(b, a)
	}
	stream.until = now.Add(refusedPause)
	s.putLast(b)
	s.cfg.Log.Error("records rejected", "status", a.status, "error", a.words(), "file", filepath.Join(s.spool, b.name()), "records", b.records,
		"project", b.to.Project, "next", fmt.Sprintf("they are sent again each minute; after an hour they are kept in %s", s.rejected))
	return nil
}

// putLast lets the other batches go first.
func (s *Shipper) putLast(b *batch) {
	if at := slices.Index(s.waiting, b); at >= 0 {
		s.waiting = append(slices.Delete(s.waiting, at, at+1), b)
	}
}

// remove deletes a batch of which nothing is left to do.
func (s *Shipper) remove(b *batch) error {
	if err := os.Remove(filepath.Join(s.spool, b.name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove a batch that was sent: %w", err)
	}
	s.forget(b)
	return nil
}

// halve makes two batches of one that the listener finds too large.
func (s *Shipper) halve(b *batch, body []byte) error {
	lines, err := linesOf(body)
	if err != nil {
		return err
	}
	half := len(lines) / 2
	for _, part := range [][][]byte{lines[:half], lines[half:]} {
		if err := s.write(&batch{to: b.to, time: s.nextTime()}, part); err != nil {
			return err
		}
	}
	return s.remove(b)
}
