package ship

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/bitville/listener/shared/record"
)

// Bounds of a batch. The listener takes 4 MiB on the wire, 32 MiB decompressed and 5,000 records.
const (
	maxWire    = 3_000_000  // bytes
	maxRaw     = 24_000_000 // bytes
	maxRecords = record.MaxRecords

	memberRaw     = 1 << 20 // bytes of records that are compressed together, if one is not larger
	memberRecords = 500

	block = 4096 // what a file takes on disk is a multiple of it
)

// segment is a batch that still grows.
type segment struct {
	to      Stream
	file    *os.File
	path    string
	time    int64 // in its name, Unix microseconds
	began   time.Time
	size    int64 // bytes of whole members
	raw     int64 // bytes of these decompressed
	records int
	isDirty bool // written, and not synced
}

// member is a gzip member of whole lines.
type member struct {
	bytes   []byte
	raw     int64
	records int
}

// compress makes a member of the first records, and returns the others.
func (s *Shipper) compress(records [][]byte) (m member, rest [][]byte) {
	var out bytes.Buffer
	s.zip.Reset(&out)
	for len(records) > 0 && m.records < memberRecords && (m.raw == 0 || m.raw+int64(len(records[0])) < memberRaw) {
		line := records[0]
		records = records[1:]
		if len(line) > record.MaxBytes {
			s.drop(TooLarge, 1, int64(len(line)))
			continue
		}
		if bytes.IndexByte(line, '\n') >= 0 || bytes.IndexByte(line, '\r') >= 0 { // between tokens alone, as a string of JSON holds neither
			line = bytes.ReplaceAll(bytes.ReplaceAll(line, []byte{'\n'}, []byte{' '}), []byte{'\r'}, []byte{' '})
		}
		_, _ = s.zip.Write(line) // into memory
		_, _ = s.zip.Write([]byte{'\n'})
		m.raw += int64(len(line)) + 1
		m.records++
	}
	_ = s.zip.Close()
	m.bytes = out.Bytes()
	return m, records
}

// append writes a member behind the stream's others, in a new batch when it does not fit.
func (s *Shipper) append(to Stream, m member) error {
	if m.records == 0 {
		return nil
	}
	seg := s.growing[to]
	if seg != nil && (seg.size+int64(len(m.bytes)) > s.wire() || seg.raw+m.raw > maxRaw || seg.records+m.records > maxRecords) {
		if err := s.cut(seg); err != nil {
			return err
		}
		seg = nil
	}
	if !s.makeRoom(int64(len(m.bytes)) + block) {
		return ErrFull
	}
	for {
		err := error(nil)
		if seg == nil {
			seg, err = s.begin(to)
		}
		if err == nil {
			_, err = seg.file.WriteAt(m.bytes, seg.size)
		}
		if err == nil {
			break
		}
		if seg != nil {
			_ = seg.file.Truncate(seg.size)
		}
		if !isFull(err) {
			return fmt.Errorf("write to the spool: %w", err)
		}
		if !s.dropOldest() {
			return fmt.Errorf("%w: %w", ErrFull, err)
		}
	}
	seg.isDirty = true
	s.bytes += onDisk(seg.size+int64(len(m.bytes))) - onDisk(seg.size)
	seg.size += int64(len(m.bytes))
	seg.raw += m.raw
	seg.records += m.records
	return nil
}

// wire is the most bytes of a batch: less than usual where the whole spool has little room.
func (s *Shipper) wire() int64 { return min(maxWire, s.cfg.MaxBytes/8) }

// onDisk is what a file of n bytes takes.
func onDisk(n int64) int64 { return (n + block - 1) / block * block }

// begin makes the file of a new batch.
func (s *Shipper) begin(to Stream) (*segment, error) {
	seg := &segment{to: to, time: s.nextTime(), began: s.cfg.Now()}
	seg.path = filepath.Join(s.spool, growingName(seg.time, to))
	var err error
	if seg.file, err = os.OpenFile(seg.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return nil, fmt.Errorf("make a file: %w", err)
	}
	if err := syncFolder(s.spool); err != nil {
		_ = seg.file.Close()
		_ = os.Remove(seg.path)
		return nil, err
	}
	s.growing[to] = seg
	return seg, nil
}

// sync returns when what was appended would survive a power cut.
func (s *Shipper) sync(seg *segment) error {
	if !seg.isDirty {
		return nil
	}
	if err := seg.file.Sync(); err != nil {
		return fmt.Errorf("sync the spool: %w", err)
	}
	seg.isDirty = false
	return nil
}

// cut ends a batch: from here on its bytes stay as they are.
func (s *Shipper) cut(seg *segment) error {
	if err := s.sync(seg); err != nil {
		return err
	}
	if seg.records == 0 { // its first write has failed
		delete(s.growing, seg.to)
		return errors.Join(seg.file.Close(), os.Remove(seg.path))
	}
	b := &batch{to: seg.to, time: seg.time, records: seg.records, size: seg.size}
	if err := os.Rename(seg.path, filepath.Join(s.spool, b.name())); err != nil {
		return fmt.Errorf("cut a batch: %w", err)
	}
	delete(s.growing, seg.to)
	s.waiting = append(s.waiting, b)
	if err := seg.file.Close(); err != nil {
		return fmt.Errorf("close a batch: %w", err)
	}
	return nil
}

// nextTime is now, and later than any time that was given before.
func (s *Shipper) nextTime() int64 {
	s.lastName = max(s.lastName+1, s.cfg.Now().UnixMicro())
	return s.lastName
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open the folder of the spool: %w", err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync the folder of the spool: %w", err)
	}
	return nil
}
