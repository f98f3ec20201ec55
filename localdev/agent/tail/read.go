package tail

import (
	"context"
	"errors"
	"fmt"

	"github.com/bitville/listener/localdev/agent/pglog"
)

// read reads on in one file. moved tells whether there was anything whole.
func (f *Follower) read(ctx context.Context, p *position) (items []Item, moved bool, err error) {
	for size := step; ; size *= 2 {
		b := make([]byte, min(int64(size), p.file.Size-p.Offset))
		n, err := f.files.ReadAt(ctx, p.file, b, p.Offset)
		if err != nil {
			return nil, false, fmt.Errorf("read %s: %w", p.Name, err)
		}
		b = b[:n]
		atEnd := p.Offset+int64(n) >= p.file.Size
		items, used := f.cut(p, b, atEnd && f.isFinal(p, b))
		p.Offset += int64(used)
		if used > 0 || atEnd || n == 0 {
			return items, used > 0, nil
		}
	}
}

// isFinal tells whether nothing is written behind b any more: the log went on in another file, or b is whole lines and
// nothing has come for so long that the entry must be whole, for one entry is written at once.
func (f *Follower) isFinal(p *position, b []byte) bool {
	since := f.cfg.Now().Sub(p.changed)
	return !p.isLast && since >= settled || since >= quiet && len(b) > 0 && b[len(b)-1] == '\n'
}

// cut returns the entries that b, which stands at the file's Offset, begins with, and their length.
func (f *Follower) cut(p *position, b []byte, final bool) (items []Item, used int) {
	for used < len(b) {
		n := f.format.Next(b[used:], final)
		if n == 0 {
			break
		}
		from := p.Offset + int64(used)
		entry, err := f.format.Parse(b[used : used+n])
		used += n
		if err == nil {
			items = append(items, Item{Entry: entry, Offset: from, file: p, end: from + int64(n)})
		} else if !errors.Is(err, pglog.ErrNoEntry) && !f.told {
			f.told = true
			f.cfg.Log.Error("the log cannot be read", "file", p.Name, "error", err.Error())
		}
	}
	return items, used
}

// readAgain returns the entries that were held.
func (f *Follower) readAgain(ctx context.Context) (items []Item, err error) {
	p := f.again[0]
	for _, held := range p.Held {
		b := make([]byte, held[1]-held[0])
		n, err := f.files.ReadAt(ctx, p.file, b, held[0])
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", p.Name, err)
		}
		if entry, err := f.format.Parse(b[:n]); err == nil {
			items = append(items, Item{Entry: entry, Offset: held[0], file: p, end: held[1]})
		}
	}
	f.again = f.again[1:]
	return items, nil
}
