// Package pgagent makes the listener's records of what PostgreSQL's log tells of statements: their plans, durations and
// errors, each under the id of the request that ran it.
//
// The id stands in a comment of the statement, else in application_name. A statement that ran inside of another one has
// its caller's, and never that of a statement that merely follows. One without any gets an id derived from its session
// and line, so that reading the log again makes equal records, which the listener takes for duplicates.
package pgagent

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/bitville/listener/localdev/agent/tail"
)

// Source is a log. *tail.Follower and *tail.Stream are ones.
type Source interface {
	// Next returns what comes next, and none when nothing came for a while. The error is io.EOF after the last.
	Next(ctx context.Context) ([]tail.Item, error)
	// Save stores that all that Next returned is done, but for what is held.
	Save(held []tail.Item) error
}

// Config is what Run needs.
type Config struct {
	Project string
	Own     string // application_name of the agent's own connections: what they run is no news
	Redact  bool   // no literal leaves this host
	Source  Source
	Put     func(records ...[]byte) error // returns when they are on disk
	Read    func(records int)             // counts
	Ready   func()                        // the log was looked at for the first time
	Log     *slog.Logger
	Now     func() time.Time

	// Normalised returns the text that PostgreSQL keeps of a query id, and "" for none; nil where nothing can be asked.
	Normalised func(ctx context.Context, queryID string) string
}

// pause is between a failure and the next try.
const pause = 2 * time.Second

// Run reads the log until ctx or the log ends. Its error is nil then.
func Run(ctx context.Context, cfg Config) error {
	h := holder{sessions: make(map[string]*session)}
	broken := false // the log cannot be read at present
	for first := true; ; first = false {
		items, err := cfg.Source.Next(ctx)
		ended := errors.Is(err, io.EOF)
		switch {
		case ctx.Err() != nil:
			return cfg.finish(&h, items)
		case err != nil && !ended && first:
			return err
		case err != nil && !ended:
			if !broken {
				cfg.Log.Error("the log cannot be read; it is tried again", "error", err.Error())
			}
			broken = true
			sleep(ctx, pause)
			continue
		case broken:
			broken = false
			cfg.Log.Info("the log can be read again")
		}
		cfg.add(&h, items)
		h.expire(cfg.Now(), ended)
		if err := cfg.put(ctx, &h, len(items) > 0 || first); err != nil {
			return err
		}
		if first {
			cfg.Ready()
		}
		if ended {
			return nil
		}
	}
}

func (cfg *Config) add(h *holder, items []tail.Item) {
	now := cfg.Now()
	for _, item := range items {
		if item.Application != cfg.Own || cfg.Own == "" {
			h.add(read(item), now)
		}
	}
}

// put hands on what is ready, and stores how far the log was read. It tries until it can, for what is not read is not
// lost.
func (cfg *Config) put(ctx context.Context, h *holder, moved bool) error {
	if len(h.ready) == 0 && !moved {
		return nil
	}
	records := make([][]byte, len(h.ready))
	for i, x := range h.ready {
		if cfg.Redact {
			cfg.normalise(ctx, x)
		}
		records[i] = x.record(cfg.Project, cfg.Redact)
	}
	for failed := false; ; failed = true {
		err := cfg.Put(records...)
		if err == nil {
			err = cfg.Source.Save(h.held())
		}
		if err == nil {
			break
		}
		if !failed {
			cfg.Log.Error("records cannot be kept; the log is read on when they can", "error", err.Error())
		}
		sleep(ctx, pause)
		if ctx.Err() != nil {
			return nil // they are read again
		}
	}
	cfg.Read(len(records))
	h.ready = nil
	return nil
}

// normalise takes PostgreSQL's own text of the statement, which has no values, where there is one.
func (cfg *Config) normalise(ctx context.Context, x *executed) {
	if cfg.Normalised == nil || x.nested || x.QueryID == "" {
		return
	}
	if text := cfg.Normalised(ctx, x.QueryID); text != "" {
		x.text = text
	}
}

// finish ends with ctx. What a file's log has is read again; what came over a stream would be lost.
func (cfg *Config) finish(h *holder, items []tail.Item) error {
	if _, isStream := cfg.Source.(*tail.Stream); !isStream {
		return nil
	}
	cfg.add(h, items)
	h.expire(cfg.Now(), true)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return cfg.put(ctx, h, false)
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
