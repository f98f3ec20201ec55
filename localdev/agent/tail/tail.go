// Package tail follows PostgreSQL's log through rotation, truncation and restarts, and remembers how far it was read.
//
// What is lost is nothing that was still there: positions are stored by the caller's Save, after the entries are safe.
// An agent that is killed between the two reads some entries again. An entry that the caller holds, because another one
// tells what it is, is read again after a restart, and the entries around it are not.
package tail

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bitville/listener/localdev/agent/pglog"
)

// File is one file of the log.
type File struct {
	Name     string
	ID       string // stays the same when the file is renamed, where that can be told
	Size     int64  // bytes
	Modified time.Time
}

// Files are where the log's files are.
type Files interface {
	Close()
	// List returns the files of the log, and those with an id of wanted, whatever their names.
	List(ctx context.Context, wanted map[string]bool) ([]File, error)
	// ReadAt fills p from the offset on. At the end of the file it returns fewer bytes, and no error.
	ReadAt(ctx context.Context, f File, p []byte, offset int64) (int, error)
}

// Item is an entry of the log and its place.
type Item struct {
	pglog.Entry
	Offset int64 // in its file, or in the stream
	file   *position
	end    int64
}

// Config is what a Follower needs.
type Config struct {
	Open      Opener
	Prefix    string        // log_line_prefix, for the format stderr
	Path      string        // of the file with the positions
	FromStart bool          // at the first start, read what is already there
	Wait      time.Duration // of Next, when there is nothing new
	Log       *slog.Logger
	Now       func() time.Time
}

const (
	step      = 1 << 20 // bytes that are read at one time
	headBytes = 256     // of a file's beginning that tell it from another
	settled   = time.Second
	quiet     = 5 * time.Second
)

// Follower reads the files of a log. One goroutine uses it.
type Follower struct {
	cfg     Config
	files   Files // nil: the log is not there yet
	format  pglog.Format
	known   []*position
	again   []*position // with entries that were held when the process before this one ended
	started bool        // there was a first look, in this process or in one before
	told    bool        // that entries cannot be read
	waits   bool        // not the first look
	behind  atomic.Int64
}

// Follow returns a Follower that goes on where the one before it stored. The error names the file that is no such thing.
func Follow(cfg Config) (*Follower, error) {
	f := &Follower{cfg: cfg}
	known, err := load(cfg.Path)
	if err != nil {
		return nil, err
	}
	if known != nil {
		f.started, f.known = true, known
	}
	for _, p := range f.known {
		if len(p.Held) > 0 {
			f.again = append(f.again, p)
		}
	}
	return f, nil
}

// Next returns the entries that come next, at most some megabytes of them; none when nothing came for a while.
func (f *Follower) Next(ctx context.Context) ([]Item, error) {
	if err := f.open(ctx); err != nil {
		return nil, err
	}
	if f.files == nil {
		f.started = true // whatever comes now is new
		return nil, f.rest(ctx)
	}
	if err := f.look(ctx); err != nil {
		return nil, err
	}
	defer f.countBehind()
	if len(f.again) > 0 {
		return f.readAgain(ctx)
	}
	for _, p := range f.known {
		if !p.there || p.file.Size <= p.Offset {
			continue
		}
		items, moved, err := f.read(ctx, p)
		if err != nil || moved {
			return items, err
		}
		if !p.isLast {
			break // the old file first, to its end
		}
	}
	return nil, f.rest(ctx)
}

// rest waits a little, but not at the first look.
func (f *Follower) rest(ctx context.Context) error {
	if f.waits {
		select {
		case <-ctx.Done():
		case <-time.After(f.cfg.Wait):
		}
	}
	f.waits = true
	return nil
}

// open looks for the log until it is there.
func (f *Follower) open(ctx context.Context) error {
	if f.files != nil {
		return nil
	}
	files, format, err := f.cfg.Open(ctx)
	if err != nil || files == nil {
		if err == nil && !f.waits {
			f.cfg.Log.Warn("there is no log yet; it is read from its beginning when it comes")
		}
		return err
	}
	if f.format, err = pglog.New(format, f.cfg.Prefix); err != nil {
		return err
	}
	f.files = files
	f.cfg.Log.Info("reading the log", "format", format)
	return nil
}

// look finds files that are new, were truncated, or were replaced.
func (f *Follower) look(ctx context.Context) error {
	wanted := make(map[string]bool)
	for _, p := range f.known {
		wanted[p.ID] = !f.isDone(p)
	}
	files, err := f.files.List(ctx, wanted)
	if err != nil {
		return err
	}
	places := make(map[string]int)
	for i, p := range f.known {
		places[p.ID] = i
	}
	place := func(file File) int {
		if at, ok := places[file.ID]; ok {
			return at
		}
		return len(f.known)
	}
	slices.SortFunc(files, func(a, b File) int { // the clock of stamps is coarse: of two that are equal the new one is newer
		return cmp.Or(a.Modified.Compare(b.Modified), place(a)-place(b), strings.Compare(a.Name, b.Name))
	})
	now := f.cfg.Now()
	var order []*position
	for i, file := range files {
		var p *position
		if at, ok := places[file.ID]; ok {
			p = f.known[at]
		} else if p = (&position{ID: file.ID}); !f.started && !f.cfg.FromStart {
			p.Offset = file.Size
		}
		if !p.there || p.file.Size != file.Size {
			if p, err = f.identify(ctx, p, file); err != nil {
				return err
			}
			p.changed = now
		}
		p.Name, p.file, p.there, p.isLast = file.Name, file, true, i == len(files)-1
		order = append(order, p)
	}
	f.again = slices.DeleteFunc(f.again, func(p *position) bool {
		gone := !slices.Contains(order, p)
		if gone {
			f.cfg.Log.Warn("entries that waited for their statement are lost: the log file is gone", "file", p.Name, "entries", len(p.Held))
		}
		return gone
	})
	f.known, f.started = order, true // what is not there any more is forgotten
	return nil
}

// isDone tells whether nothing more is to come from a file: the log went on in another one.
func (f *Follower) isDone(p *position) bool {
	return p.there && !p.isLast && p.file.Size <= p.Offset && len(p.Held) == 0 && f.cfg.Now().Sub(p.changed) >= settled
}

// identify tells whether a file is the one that was read, and returns a new position at its beginning when it is not.
func (f *Follower) identify(ctx context.Context, p *position, file File) (*position, error) {
	head := make([]byte, headBytes)
	n, err := f.files.ReadAt(ctx, file, head, 0)
	if err != nil {
		return nil, fmt.Errorf("read the beginning of %s: %w", file.Name, err)
	}
	head = head[:n]
	if p.Offset > file.Size || p.HeadOf > n || p.HeadOf > 0 && p.Head != hash(head[:p.HeadOf]) {
		f.cfg.Log.Info("a log file was truncated or replaced, and is read from its beginning", "file", file.Name)
		p = &position{ID: file.ID}
	}
	if p.HeadOf < headBytes {
		p.HeadOf = n
		p.Head = hash(head)
	}
	return p, nil
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// Behind is how many bytes of the log are not read yet. It may be called from any goroutine.
func (f *Follower) Behind() int64 { return f.behind.Load() }

func (f *Follower) countBehind() {
	var bytes int64
	for _, p := range f.known {
		bytes += max(0, p.file.Size-p.Offset)
	}
	f.behind.Store(bytes)
}

// Close closes the files. Next is not called any more.
func (f *Follower) Close() {
	if f.files != nil {
		f.files.Close()
	}
}
