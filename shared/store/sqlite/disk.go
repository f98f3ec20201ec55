package sqlite

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/bitville/listener/shared/store"
)

// neverWritten is how many bytes of pages may be missing, as for SQLite itself: those that a transaction took and gave
// back it does not write.
const neverWritten = 64 << 10

// file is an open database's file as the disk has it. SQLite itself does not look whether another program has cut or
// overwritten it, and the next checkpoint would write over what is left.
type file struct {
	path string
	disk *os.File              // for looks and syncs; closed last, for that drops the process's locks on the file
	info os.FileInfo           // as it was opened
	free func() (int64, error) // bytes that may still be written beside it; a test makes something else of it

	tampered atomic.Bool // once it is, it stays so
	left     fileState   // by the last checkpoint that copied all of the WAL; the checkpointer's
}

// fileState is a file's size and its first bytes, or as many as there are: SQLite's header.
type fileState struct {
	size   int64
	header [100]byte
}

// openFile opens a database file that is there.
func openFile(path string) (*file, error) {
	disk, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the file: %w", err)
	}
	info, err := disk.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("look at the file: %w", err), disk.Close())
	}
	return &file{path: path, disk: disk, info: info, free: func() (int64, error) { return freeSpace(path) }}, nil
}

// look returns errTampered when another program has cut the file, or overwritten its header.
func (f *file) look() error {
	now, err := f.state()
	if err != nil {
		return nil // SQLite meets it too, and tells it
	}
	// A checkpoint by another process that changes the size changes the header as well.
	cut := now.header == f.left.header && now.size < f.left.size
	if cut || !bytes.HasPrefix(now.header[:], []byte("SQLite format 3\x00")) {
		f.tampered.Store(true)
	}
	if f.tampered.Load() {
		return errTampered
	}
	return nil
}

// note takes the file for what a checkpoint that has copied all of the WAL left. It must have all pages then. Another process
// may be in a checkpoint that writes the header first: the file is looked at twice.
func (f *file) note() error {
	for range 2 {
		now, err := f.state()
		if err != nil {
			return err
		}
		if now.size+neverWritten >= now.bytes() {
			f.left = now
			return nil
		}
		if now == f.left {
			f.tampered.Store(true)
			return errTampered
		}
		f.left = now
		time.Sleep(walInterval / 10)
	}
	return nil
}

func (f *file) state() (s fileState, err error) {
	if _, err := f.disk.ReadAt(s.header[:], 0); err != nil && err != io.EOF {
		return s, err
	}
	info, err := f.disk.Stat()
	if err != nil {
		return s, err
	}
	s.size = info.Size()
	return s, nil
}

// bytes is how large the file is by its header (https://www.sqlite.org/fileformat2.html#the_database_header).
func (s *fileState) bytes() int64 {
	return int64(binary.BigEndian.Uint32(s.header[28:])) * int64(binary.BigEndian.Uint16(s.header[16:]))
}

// replaced refuses what would go into a file that nobody will find again.
func (f *file) replaced() error {
	if info, err := os.Stat(f.path); err != nil || !os.SameFile(info, f.info) {
		return &store.Unavailable{Reason: "the database file was removed or replaced; restart the listener", RetryAfter: 30 * time.Second, Err: err}
	}
	return nil
}

func (f *file) walBytes() int64 { return sizeOf(f.path + "-wal") }

// sizeOf returns the size of a file, 0 when there is none.
func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// freeSpace returns the bytes that may still be written beside a file.
func freeSpace(path string) (int64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(filepath.Dir(path), &s); err != nil {
		return 0, err
	}
	return int64(s.Bavail) * int64(s.Bsize), nil
}
