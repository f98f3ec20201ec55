package ship

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
)

// batch is a file of the spool whose bytes are what is sent.
type batch struct {
	to      Stream
	time    int64 // when it was begun, Unix microseconds
	records int
	size    int64 // bytes
	isAside bool  // it lies in the folder rejected, with a file beside it

	refused time.Time // since when the listener refuses it; zero when it does not. Run's
}

// cost is what the batch takes on disk.
func (b *batch) cost() int64 {
	if b.isAside {
		return onDisk(b.size) + block
	}
	return onDisk(b.size)
}

// newFile begins the name of a file that is being written and gets its name when it is whole.
const newFile = ".new-"

var (
	batchFile   = regexp.MustCompile(`^(\d{16})-(\d+)-(.+)\.([a-z]+)\.ndjson\.gz$`)
	growingFile = regexp.MustCompile(`^\.growing-(\d{16})-(.+)\.([a-z]+)\.ndjson\.gz$`)

	// A project's name may hold anything; a file's not.
	escape   = strings.NewReplacer("%", "%25", "/", "%2F", "\x00", "%00")
	unescape = strings.NewReplacer("%25", "%", "%2F", "/", "%00", "\x00")
)

func (b *batch) name() string {
	return fmt.Sprintf("%016d-%d-%s.%s.ndjson.gz", b.time, b.records, escape.Replace(b.to.Project), b.to.Agent)
}

func growingName(time int64, to Stream) string {
	return fmt.Sprintf(".growing-%016d-%s.%s.ndjson.gz", time, escape.Replace(to.Project), to.Agent)
}

// nobody is the project in the name of a file of records that name none. In the spool it is no batch: who has mended
// such records has them read anew.
const nobody = "-"

// parseBatch reads the name of a batch; nil when it is none of ours.
func parseBatch(entry fs.DirEntry) *batch {
	parts := batchFile.FindStringSubmatch(entry.Name())
	info, err := entry.Info()
	if parts == nil || err != nil || !info.Mode().IsRegular() {
		return nil
	}
	b := &batch{to: Stream{parts[4], unescape.Replace(parts[3])}, size: info.Size()}
	b.time, _ = strconv.ParseInt(parts[1], 10, 64)
	b.records, _ = strconv.Atoi(parts[2])
	return b
}

// isOurs tells whether the batch can be sent as it is.
func (b *batch) isOurs() bool { return b != nil && b.to.Project != nobody }

// recover finds what an earlier process has left.
func (s *Shipper) recover() error {
	for _, dir := range []string{s.spool, s.rejected} {
		torn, _ := filepath.Glob(filepath.Join(dir, newFile+"*"))
		for _, path := range torn {
			_ = os.Remove(path) // what it was written from is there
		}
	}
	entries, err := os.ReadDir(s.spool)
	if err != nil {
		return fmt.Errorf("read the spool: %w", err)
	}
	for _, entry := range entries {
		if parts := growingFile.FindStringSubmatch(entry.Name()); parts != nil {
			if err := s.finish(entry.Name(), parts); err != nil {
				return err
			}
		}
	}
	if err := s.list(); err != nil {
		return err
	}
	for _, b := range slices.Concat(s.waiting, s.aside) {
		s.lastName = max(s.lastName, b.time)
	}
	return nil
}

// finish makes a batch of one that was still growing, without what stands behind its last whole member.
func (s *Shipper) finish(name string, parts []string) error {
	path := filepath.Join(s.spool, name)
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the spool: %w", err)
	}
	b := &batch{to: Stream{parts[3], unescape.Replace(parts[2])}}
	b.time, _ = strconv.ParseInt(parts[1], 10, 64)
	b.size, b.records = wholeMembers(data)
	if b.records == 0 {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("remove an empty batch: %w", err)
		}
		return nil
	}
	if err := os.Truncate(path, b.size); err != nil {
		return fmt.Errorf("cut off the end of a batch: %w", err)
	}
	if err := os.Rename(path, filepath.Join(s.spool, b.name())); err != nil {
		return fmt.Errorf("cut a batch: %w", err)
	}
	return nil
}

// wholeMembers returns how many bytes the whole gzip members at the beginning take, and how many lines they hold.
func wholeMembers(data []byte) (size int64, lines int) {
	in := bytes.NewReader(data)
	var zip gzip.Reader
	for in.Len() > 0 {
		if zip.Reset(in) != nil {
			break
		}
		zip.Multistream(false)
		var count lineCounter
		if _, err := io.Copy(&count, &zip); err != nil {
			break
		}
		size, lines = int64(len(data)-in.Len()), lines+int(count)
	}
	return size, lines
}

type lineCounter int

func (n *lineCounter) Write(p []byte) (int, error) {
	*n += lineCounter(bytes.Count(p, []byte{'\n'}))
	return len(p), nil
}

// list reads both folders again: files may have been moved from rejected to spool, or away.
func (s *Shipper) list() error {
	waiting, err := batchesIn(s.spool, s.waiting, false)
	if err != nil {
		return err
	}
	aside, err := batchesIn(s.rejected, s.aside, true)
	if err != nil {
		return err
	}
	s.waiting, s.aside, s.bytes = waiting, aside, 0
	for _, b := range slices.Concat(waiting, aside) {
		s.bytes += b.cost()
	}
	for _, seg := range s.growing {
		s.bytes += onDisk(seg.size)
	}
	return nil
}

// batchesIn returns the batches of a folder, oldest first. Those that are known stay who they are, and in their order.
func batchesIn(dir string, known []*batch, isAside bool) ([]*batch, error) {
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		return nil, fmt.Errorf("read the spool: %w", err)
	}
	there := make(map[string]*batch)
	for _, entry := range entries {
		if b := parseBatch(entry); b.isOurs() || b != nil && isAside {
			there[entry.Name()] = b
		}
	}
	var all []*batch
	for _, b := range known {
		if there[b.name()] != nil {
			all = append(all, b)
			delete(there, b.name())
		}
	}
	for _, entry := range entries {
		if b := there[entry.Name()]; b != nil {
			b.isAside = isAside
			all = append(all, b)
		}
	}
	return all, nil
}

// makeRoom drops what is oldest until n bytes more are within the bound, where it may, and tells whether they are.
func (s *Shipper) makeRoom(n int64) bool {
	for s.bytes+n > s.cfg.MaxBytes {
		if !s.dropOldest() {
			return false
		}
	}
	return true
}

// dropOldest drops the oldest batch: of all, or of those that were rejected when the caller of Put can wait.
func (s *Shipper) dropOldest() bool {
	var oldest *batch
	consider := func(all []*batch) {
		for _, b := range all {
			if b != s.sender.inFlight && (oldest == nil || b.time < oldest.time) {
				oldest = b
			}
		}
	}
	consider(s.aside)
	dir := s.rejected
	if s.cfg.DropOldest {
		consider(s.waiting)
		if slices.Contains(s.waiting, oldest) {
			dir = s.spool
		}
	}
	if oldest == nil {
		return false
	}
	path := filepath.Join(dir, oldest.name())
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.cfg.Log.Error("a batch cannot be removed", "file", path, "error", err.Error())
		return false
	}
	_ = os.Remove(path + errorSuffix)
	s.forget(oldest)
	s.drop(Full, oldest.records, oldest.size)
	return true
}

// forget takes a batch out of the lists when its file has gone.
func (s *Shipper) forget(b *batch) {
	isB := func(other *batch) bool { return other == b }
	n := len(s.waiting) + len(s.aside)
	s.waiting, s.aside = slices.DeleteFunc(s.waiting, isB), slices.DeleteFunc(s.aside, isB)
	if len(s.waiting)+len(s.aside) < n {
		s.bytes -= b.cost()
	}
}
