package sqlite

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/bitville/listener/shared/store"
)

var errForeign error = &store.Unavailable{
	Reason:     "the database file was cut or overwritten by another program; stop the listener, keep the file and its -wal, and restore a backup",
	RetryAfter: 30 * time.Second,
}

// neverWritten is how many bytes of pages may be missing, as for SQLite itself: those that a transaction took and gave
// back it does not write.
const neverWritten = 64 << 10

// watch tells whether a program that is not SQLite wrote to the database file, which would lose what the next
// checkpoint copies there. SQLite itself does not look: it reads the file's beginning again when somebody else has
// written to the log, and its size with 64 KiB of tolerance.
//
// The file changes in checkpoints alone, and what the last ones did is in the log's index, the -shm
// (https://www.sqlite.org/walformat.html#the_wal_index_file_format). So a file that is not as our last checkpoint left
// it, though the index says that nobody had another, was written to by a foreign hand.
type watch struct {
	log   string   // the path of the -wal
	disk  *os.File // the database file
	index *os.File // the -shm; closed after SQLite's, for that drops the process's locks on it

	found atomic.Bool // that it did

	left struct { // by our last checkpoint
		file  fileState
		index indexState
	}
}

// fileState is the file's size and its first page, or as much of it as there is.
type fileState struct {
	size  int64
	first [pageSize]byte
}

// indexState is of the log's index what tells of checkpoints.
type indexState struct {
	commits   uint32    // since the database was made, modulo 1<<32
	frames    uint32    // in the log
	salts     [2]uint32 // of the log: the first counts how often it was begun anew
	copied    uint32    // frames that the database has
	attempted uint32    // frames that a checkpoint has begun to copy
}

func newWatch(path string, disk *os.File) (*watch, error) {
	index, err := os.Open(path + "-shm")
	if err != nil {
		return nil, err
	}
	w := &watch{log: path + "-wal", disk: disk, index: index}
	return w, w.note(0)
}

// note takes the file as it is for what a checkpoint left. If that copied all of the log, which was whole frames, it looks
// whether it is so: a foreign hand may have come meanwhile.
func (w *watch) note(whole int) error {
	index, err := w.indexState() // first: another process may have a checkpoint meanwhile
	if err != nil {
		return err
	}
	file, err := w.fileState()
	if err != nil {
		return err
	}
	if index.copied == uint32(whole) && !w.isCopy(file, index) {
		w.found.Store(true)
		return errForeign
	}
	w.left.file, w.left.index = file, index
	return nil
}

// isForeign tells whether the file is none that SQLite left. Once it was not it never is again.
func (w *watch) isForeign() bool {
	file, err := w.fileState()
	switch {
	case w.found.Load():
	case err != nil: // SQLite meets it too, and tells it
	case !bytes.HasPrefix(file.first[:], []byte("SQLite format 3\x00")):
		w.found.Store(true)
	case file != w.left.file:
		index, err := w.indexState()
		w.found.Store(err == nil && !w.hadCheckpoint(index))
	}
	return w.found.Load()
}

// hadCheckpoint tells whether there may have been a checkpoint, whole or in part, since the last note.
func (w *watch) hadCheckpoint(now indexState) bool {
	then := w.left.index
	switch {
	case now.copied != now.attempted:
		return true
	case now.salts == then.salts:
		return now.copied != then.copied
	case now.salts[0] != then.salts[0]+1 || now.copied != 0 || then.copied != then.frames:
		return true
	}
	// A log that had been copied was begun anew. When all commits since are in the new one nobody had any to copy before.
	commits, err := w.commits(now)
	return err != nil || commits != now.commits-then.commits
}

// commits counts those that the log holds.
func (w *watch) commits(now indexState) (n uint32, err error) {
	log, err := os.Open(w.log)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	for i := range int64(now.frames) {
		f, err := readFrame(log, i, w.left.file.pageSize())
		if err != nil {
			return 0, err
		}
		if f.size != 0 {
			n++
		}
	}
	return n, nil
}

// isCopy tells whether the file is what a checkpoint made of the log, as far as its first page and its size say.
func (w *watch) isCopy(file fileState, index indexState) bool {
	const lookBack = 256 // frames; most transactions write the first page
	log, err := os.Open(w.log)
	if err != nil {
		return true
	}
	defer log.Close()
	pageSize := file.pageSize()
	for i := int64(index.copied) - 1; i >= max(0, int64(index.copied)-lookBack); i-- {
		f, err := readFrame(log, i, pageSize)
		if err != nil {
			return true
		}
		if f.page != 1 {
			continue
		}
		first := make([]byte, len(file.first))
		if _, err := log.ReadAt(first, frameAt(i, pageSize)+frameHeader); err != nil {
			return true
		}
		isCut := file.size+neverWritten < pageSize*int64(binary.BigEndian.Uint32(first[28:]))
		if !isCut && bytes.Equal(first, file.first[:]) {
			return true
		}
		now, err := w.indexState()
		return err != nil || now.salts != index.salts || now.copied != index.copied || now.attempted != index.copied
	}
	return true
}

// frame is the header of a frame of the log (https://www.sqlite.org/fileformat2.html#the_write_ahead_log).
type frame struct {
	page  uint32    // the number of the page that follows
	size  uint32    // of the database in pages, after a transaction's last frame
	salts [2]uint32 // of the log: other ones are of before it was begun anew
}

func readFrame(log *os.File, i, pageSize int64) (frame, error) {
	var header [frameHeader]byte
	_, err := log.ReadAt(header[:], frameAt(i, pageSize))
	return frame{binary.BigEndian.Uint32(header[0:]), binary.BigEndian.Uint32(header[4:]), saltsAt(header[8:])}, err
}

func saltsAt(b []byte) [2]uint32 {
	return [2]uint32{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])}
}

func frameAt(i, pageSize int64) int64 { return 32 + i*(frameHeader+pageSize) }

func (s *fileState) pageSize() int64 { return int64(binary.BigEndian.Uint16(s.first[16:])) }

func (w *watch) fileState() (s fileState, err error) {
	info, err := w.disk.Stat()
	if err != nil {
		return s, err
	}
	s.size = info.Size()
	if _, err = w.disk.ReadAt(s.first[:], 0); err == io.EOF {
		err = nil
	}
	return s, err
}

// indexState reads the index again until nobody writes to it meanwhile: its header is there twice.
func (w *watch) indexState() (s indexState, err error) {
	const headerSize = 48
	var b [136]byte
	for range 100 {
		if _, err := w.index.ReadAt(b[:], 0); err != nil {
			return s, err
		}
		if bytes.Equal(b[:headerSize], b[headerSize:2*headerSize]) {
			break
		}
	}
	native := binary.NativeEndian
	return indexState{
		commits:   native.Uint32(b[8:]),
		frames:    native.Uint32(b[16:]),
		salts:     saltsAt(b[32:]),
		copied:    native.Uint32(b[96:]),
		attempted: native.Uint32(b[128:]),
	}, nil
}
