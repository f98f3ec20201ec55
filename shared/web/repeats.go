package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

const (
	repeatsEvery = time.Minute // how often a cause has a line
	maxRepeats   = 100         // causes that are remembered; there are some dozens
)

// repeats bounds what the access log says of requests that are answered 503 for one cause: the first has its line at
// once, those that follow have one a minute that counts them. Agents send again what was not taken, many times a
// second: a line for each would fill the disk that is full.
type repeats struct {
	mu     sync.Mutex
	causes map[string]*repeated
}

type repeated struct {
	told   time.Time // when there was last a line
	untold int       // requests since then
}

// next tells whether a request has a line of its own now, and how many since the last line had none.
func (r *repeats) next(cause string, now time.Time) (untold int, tell bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.causes[cause]
	if c == nil {
		if len(r.causes) >= maxRepeats || r.causes == nil {
			r.causes = make(map[string]*repeated)
		}
		c = &repeated{}
		r.causes[cause] = c
	}
	if now.Sub(c.told) < repeatsEvery {
		c.untold++
		return 0, false
	}
	untold = c.untold
	*c = repeated{told: now}
	return untold, true
}

// level returns the level of the request's line, and what it says of others. A 503 that has no line of its own has one at
// debug.
func (w *Response) level(r *repeats) (slog.Level, []slog.Attr) {
	switch {
	case w.status == http.StatusServiceUnavailable:
		untold, tell := r.next(w.refusal(), time.Now())
		if !tell {
			return slog.LevelDebug, nil
		}
		if untold > 0 {
			return slog.LevelError, []slog.Attr{slog.Int("alike_since_last_line", untold)}
		}
		return slog.LevelError, nil
	case w.status >= http.StatusInternalServerError || w.cause != nil && w.status < http.StatusBadRequest:
		return slog.LevelError, nil
	}
	return slog.LevelInfo, nil
}

// refusal is what a client is told of the cause: unlike the cause itself it is of few texts.
func (w *Response) refusal() string {
	e, ok := errors.AsType[*Error](w.cause)
	if !ok {
		return ""
	}
	return fmt.Sprint(e.Text, " ", e.Fields["database"]) // which is what /ready says
}
