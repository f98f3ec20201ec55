// Package refusals counts what the listener refused, by the hour, so that the author of an agent sees what its answers
// said without the listener's log. It keeps no payload: a message is the listener's own.
package refusals

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	flushEvery = 10 * time.Second // counts are written
	maxPending = 4096             // counts that are not written yet; what is new beyond them is left out
	maxMessage = 300              // bytes
	unwritten  = 2 * time.Second  // a write may take; then it is tried again with the next
)

// Refusal is what was refused in one hour for one reason.
type Refusal struct {
	Hour    time.Time // it began, in UTC
	Project string    // of the key; "" when the key was no project's
	Route   string    // that it was sent to: "/ingest/php"
	Reason  string    // one of Reasons
	Field   string    // of rejected records: the contract's field that was wrong first, or "other"
	Count   int64     // requests; records where they were rejected or dropped one by one
	LastAt  time.Time // the last of them
	Message string    // that the last was answered with
}

// Reasons, as GET /refusals calls them.
const (
	Unauthorized    = "unauthorized"     // 401
	Throttled       = "throttled"        // 429
	Forbidden       = "forbidden"        // 403
	Malformed       = "malformed"        // 400: the body as a whole
	Rejected        = "rejected"         // a record of a body that could be read
	TooLarge        = "too_large"        // 413
	UnsupportedType = "unsupported_type" // 415
	Unavailable     = "unavailable"      // 503
	Dropped         = "dropped"          // 202: an agent was told so that cannot wait
	Failed          = "failed"           // any other status
)

// Reasons lists all of them.
var Reasons = []string{Unauthorized, Throttled, Forbidden, Malformed, Rejected, TooLarge, UnsupportedType, Unavailable, Dropped, Failed}

// Reason returns the reason that an answer's status stands for.
func Reason(status int) string {
	switch status {
	case 202:
		return Dropped
	case 400:
		return Malformed
	case 401:
		return Unauthorized
	case 403:
		return Forbidden
	case 413:
		return TooLarge
	case 415:
		return UnsupportedType
	case 429:
		return Throttled
	case 503:
		return Unavailable
	}
	return Failed
}

// Store keeps refusals as long as records are kept.
type Store interface {
	// AddRefusals adds the counts to those that are there. After an error they may be added or not.
	AddRefusals(ctx context.Context, all []Refusal) error

	// Refusals returns what was refused from the hour of a time on: of a project and, as project "", of keys that are no
	// project's. The latest come first, at most limit of each.
	Refusals(ctx context.Context, project string, from time.Time, limit int) ([]Refusal, error)
}

// Nowhere is the Store of a database that keeps none.
type Nowhere struct{}

// AddRefusals forgets them.
func (Nowhere) AddRefusals(context.Context, []Refusal) error { return nil }

// Refusals returns none.
func (Nowhere) Refusals(context.Context, string, time.Time, int) ([]Refusal, error) { return nil, nil }

// Ledger gathers refusals and writes them now and then. Its methods may be called from any goroutine.
type Ledger struct {
	cfg     Config
	mu      sync.Mutex
	pending map[key]Refusal
	flushed time.Time // the last write
	away    time.Time // when the store last took no record
}

// Config is what a Ledger needs.
type Config struct {
	Store Store
	Log   *slog.Logger
	Now   func() time.Time
}

// key is what refusals are added up by.
type key struct {
	hour                          int64
	project, route, reason, field string
}

// New returns an empty ledger.
func New(cfg Config) *Ledger {
	return &Ledger{cfg: cfg, pending: make(map[key]Refusal)}
}

// Note counts a refusal. Its Hour and LastAt are now.
func (l *Ledger) Note(r Refusal) {
	now := l.cfg.Now()
	r.Hour, r.LastAt = now.UTC().Truncate(time.Hour), now
	if len(r.Message) > maxMessage {
		r.Message = strings.ToValidUTF8(r.Message[:maxMessage], "") + "…"
	}
	k := key{r.Hour.Unix(), r.Project, r.Route, r.Reason, r.Field}
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Reason == Unavailable {
		l.away = now
	}
	known, ok := l.pending[k]
	if !ok && len(l.pending) >= maxPending {
		return
	}
	r.Count += known.Count
	l.pending[k] = r
}

// Run writes what was counted every ten seconds until ctx ends, and a last time then.
func (l *Ledger) Run(ctx context.Context) {
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.flush(ctx)
		case <-ctx.Done():
			l.flush(context.WithoutCancel(ctx))
			return
		}
	}
}

// FlushIfDue writes what was counted, unless the last write is less than ten seconds ago, or the store took no record within
// them: an answer must not wait for it twice. A host that runs nothing between requests calls it after each.
func (l *Ledger) FlushIfDue(ctx context.Context) {
	l.mu.Lock()
	now := l.cfg.Now()
	due := len(l.pending) > 0 && now.Sub(l.flushed) >= flushEvery && now.Sub(l.away) >= flushEvery
	l.mu.Unlock()
	if due {
		l.flush(ctx)
	}
}

// flush writes what was counted. What cannot be written is tried again with the next.
func (l *Ledger) flush(ctx context.Context) {
	l.mu.Lock()
	pending := l.pending
	l.pending, l.flushed = make(map[key]Refusal), l.cfg.Now()
	l.mu.Unlock()
	if len(pending) == 0 {
		return
	}
	all := make([]Refusal, 0, len(pending))
	for _, r := range pending {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Refusal) int { return cmp.Or(a.LastAt.Compare(b.LastAt), strings.Compare(a.Field, b.Field)) })
	ctx, cancel := context.WithTimeout(ctx, unwritten)
	defer cancel()
	err := l.cfg.Store.AddRefusals(ctx, all)
	if err == nil {
		return
	}
	l.cfg.Log.Debug("refusals are not written yet", "error", err.Error())
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, r := range pending {
		if later, ok := l.pending[k]; ok {
			later.Count += r.Count
			l.pending[k] = later
		} else if len(l.pending) < maxPending {
			l.pending[k] = r
		}
	}
}
