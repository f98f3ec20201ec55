package ship

import (
	"log/slog"
	"maps"
	"slices"
	"time"
)

// dropsEvery is how often the log says that records were dropped, at most.
const dropsEvery = time.Minute

// drops is what the log has not said yet.
type drops struct {
	waiting map[string]drop // by reason
	told    time.Time
}

type drop struct {
	records int
	bytes   int64
}

// Drop counts records that the agent has dropped, with its own reason, and sees that the log says so.
func (s *Shipper) Drop(reason string, records int, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(reason, records, bytes)
}

func (s *Shipper) drop(reason string, records int, bytes int64) {
	s.cfg.Counts.Dropped(reason, records)
	d := s.drops.waiting[reason]
	s.drops.waiting[reason] = drop{d.records + records, d.bytes + bytes}
	if now := s.cfg.Now(); now.Sub(s.drops.told) >= dropsEvery {
		s.drops.told = now
		s.drops.tell(s.cfg.Log)
	}
}

// tellLate tells what was dropped since the last line, a minute after it.
func (s *Shipper) tellLate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.cfg.Now(); len(s.drops.waiting) > 0 && now.Sub(s.drops.told) >= dropsEvery {
		s.drops.told = now
		s.drops.tell(s.cfg.Log)
	}
}

func (d *drops) tell(log *slog.Logger) {
	for _, reason := range slices.Sorted(maps.Keys(d.waiting)) {
		log.Warn("records dropped", "reason", reason, "records", d.waiting[reason].records, "bytes", d.waiting[reason].bytes)
	}
	clear(d.waiting)
}
