package torture

import (
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/bitville/listener/shared/store/sqlite/faultvfs"
)

// sector is what a disk writes whole, in bytes.
const sector = 512

// disk is what a power cut would leave at some point of a trace. What a sync has covered is there for certain; of what was
// done since then any part may be.
type disk struct {
	names   map[string]*file    // as the process sees them
	certain map[string]*file    // as the folder was last synced
	syncs   map[uint64]*syncing // that have begun
	slowest time.Duration       // that a sync took
}

// file may have lost its name.
type file struct {
	certain []byte
	pending []faultvfs.Op // what is not certain, in the order in which it was done
}

type syncing struct {
	began  time.Time
	file   *file
	covers int              // so many of the file's pending ops
	names  map[string]*file // of the folder
}

func newDisk() *disk {
	return &disk{make(map[string]*file), make(map[string]*file), make(map[uint64]*syncing), 0}
}

// do goes on by one op.
func (d *disk) do(op faultvfs.Op) {
	f := d.names[op.File]
	if f == nil {
		f = &file{}
		d.names[op.File] = f
	}
	switch op.Kind {
	case faultvfs.Syncing:
		d.syncs[op.Sync] = &syncing{op.At, f, len(f.pending), maps.Clone(d.names)}
	case faultvfs.Synced:
		done := d.syncs[op.Sync]
		done.file.sync(done.covers)
		for _, other := range d.syncs {
			if other.file == done.file && other != done {
				other.covers = max(other.covers-done.covers, 0)
			}
		}
		d.slowest = max(d.slowest, op.At.Sub(done.began))
	case faultvfs.SyncedFolder:
		d.certain = d.syncs[op.Sync].names
	case faultvfs.Delete:
		delete(d.names, op.File)
	default:
		f.pending = append(f.pending, op)
	}
}

// sync makes the first n pending ops certain.
func (f *file) sync(n int) {
	for _, op := range f.pending[:n] {
		f.certain = apply(f.certain, op)
	}
	f.pending = slices.Delete(f.pending, 0, n)
}

// way is one in which a disk may choose what it keeps of what is not certain.
type way int

const (
	nothing way = iota
	everything
	first // so much of what was done to each file
	some  // of what was done to each file
	torn  // some sectors of it
	ways
)

// cut returns the files that may be found after a power cut now.
func (d *disk) cut(w way) map[string][]byte {
	chance := rand.Float64()
	left := make(map[string][]byte)
	for _, name := range slices.Concat(slices.Collect(maps.Keys(d.certain)), slices.Collect(maps.Keys(d.names))) {
		f := d.certain[name]
		if w == everything || w != nothing && rand.Float64() < chance {
			f = d.names[name]
		}
		if f != nil {
			left[name] = f.cut(w, chance)
		}
	}
	return left
}

func (f *file) cut(w way, chance float64) []byte {
	left := slices.Clone(f.certain)
	kept := func() bool { return rand.Float64() < chance }
	for i, op := range f.pending {
		switch {
		case w == torn && op.Kind == faultvfs.Write:
			for at := int64(0); at < int64(len(op.Data)); {
				end := min(at+sector-(op.Offset+at)%sector, int64(len(op.Data)))
				if kept() {
					left = apply(left, faultvfs.Op{Kind: faultvfs.Write, Offset: op.Offset + at, Data: op.Data[at:end]})
				}
				at = end
			}
		case w == everything, w == first && float64(i) < chance*float64(len(f.pending)), w != nothing && w != first && kept():
			left = apply(left, op)
		}
	}
	return left
}

// apply does to a file what a Write or Truncate did.
func apply(content []byte, op faultvfs.Op) []byte {
	size := int(op.Offset) + len(op.Data)
	if size > len(content) {
		content = append(content, make([]byte, size-len(content))...)
	}
	if op.Kind == faultvfs.Truncate {
		return content[:size]
	}
	copy(content[op.Offset:], op.Data)
	return content
}
