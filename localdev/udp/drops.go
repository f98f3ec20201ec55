package udp

import (
	"log/slog"
	"maps"
	"sync"
	"time"
)

// Reason is why a datagram was dropped.
type Reason string

// All reasons, in the order in which a datagram meets them.
const (
	Kernel         Reason = "kernel"          // the kernel's receive buffer was full; Linux counts them
	Malformed      Reason = "malformed"       // the first line is not one of ours
	UnknownProject Reason = "unknown_project" // there is no key for it
	Clock          Reason = "clock"           // the time is more than a minute off
	BadMAC         Reason = "bad_mac"         // no key of the project makes this MAC
	WrongProject   Reason = "foreign_project" // the record names another project than the first line
	Invalid        Reason = "invalid"         // not JSON, not one record, or against its rules
	QueueFull      Reason = "queue_full"      // the store did not keep up
	NotStored      Reason = "store"           // it refused until the process ended
)

// Reasons returns all reasons.
func Reasons() []Reason {
	return []Reason{Kernel, Malformed, UnknownProject, Clock, BadMAC, WrongProject, Invalid, QueueFull, NotStored}
}

func (r Reason) Error() string { return string(r) }

// tally holds what the next line of the log says.
type tally struct {
	mu     sync.Mutex
	counts map[Reason]int
	err    error // the last of the store or the socket
	told   int   // datagrams that had a line each at debug, or would have had one
}

// maxTold bounds the lines at debug between two lines on all drops.
const maxTold = 100

// mayTell tells whether a dropped datagram may have a line of its own.
func (t *tally) mayTell() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.told++
	return t.told <= maxTold
}

func (t *tally) add(reason Reason, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.counts[reason] += n
}

func (t *tally) note(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.err = err
}

// takeAll empties the tally.
func (t *tally) takeAll() (counts map[Reason]int, untold int, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	counts, untold, err = maps.Clone(t.counts), max(0, t.told-maxTold), t.err
	clear(t.counts)
	t.err, t.told = nil, 0
	return counts, untold, err
}

func (r *Receiver) drop(reason Reason, n int, bytes int64) {
	r.dropped.add(reason, n)
	r.cfg.Drop(reason, n, bytes)
}

// tellDrops asks the kernel for its drops and writes a line on all of them now and then, and a last time in the end.
func (r *Receiver) tellDrops(end <-chan struct{}) {
	look, line := time.NewTicker(kernelEvery), time.NewTicker(r.cfg.LogEvery)
	defer look.Stop()
	defer line.Stop()
	for {
		select {
		case <-look.C:
			r.askKernel()
		case <-line.C:
			r.logDrops()
		case <-end:
			r.askKernel()
			r.logDrops()
			return
		}
	}
}

func (r *Receiver) askKernel() {
	total, err := kernelDrops(r.conn)
	if err != nil {
		r.dropped.note(err)
		return
	}
	if n := total - r.kernel; n > 0 { // also when the kernel's 32 bits have wrapped
		r.drop(Kernel, int(n), 0)
	}
	r.kernel = total
}

func (r *Receiver) logDrops() {
	counts, untold, err := r.dropped.takeAll()
	if len(counts) == 0 || r.cfg.Forward != nil {
		return
	}
	if untold > 0 {
		r.cfg.Log.Debug("more datagrams dropped", "datagrams", untold)
	}
	var fields []any
	for _, reason := range Reasons() {
		if n := counts[reason]; n > 0 {
			fields = append(fields, slog.Int(string(reason), n))
		}
	}
	if err != nil {
		fields = append(fields, slog.String("error", err.Error()))
	}
	r.cfg.Log.Warn("datagrams dropped", fields...)
}
