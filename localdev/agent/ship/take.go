package ship

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/bitville/listener/shared/access"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/wire/bitville"
)

// recordsFile is the name of a file of records that somebody has put into a folder for us: NDJSON, plain or under gzip. It
// is written under a name with a leading dot, and renamed when it is whole.
var recordsFile = regexp.MustCompile(`^[^.].*\.(php|postgres)\.ndjson(\.gz)?$`)

const (
	takeFiles = 500         // files of one sync at most
	patience  = time.Minute // with a file that ends within a record: its writer may not know of the dot
)

// taken is what was read of files whose records go into the spool together.
type taken struct {
	paths    []string
	records  map[Stream][][]byte // those of nobody are none, or name no project
	why      map[Stream]string   // the first of nobody's was not taken
	bytes    int                 // of records
	read     int                 // records
	tooLarge []int64             // bytes of each record that is
}

func newTaken() *taken {
	return &taken{records: make(map[Stream][][]byte), why: make(map[Stream]string)}
}

func (t *taken) add(more *taken) {
	t.paths = append(t.paths, more.paths...)
	for to, lines := range more.records {
		t.records[to] = append(t.records[to], lines...)
		t.why[to] = cmp.Or(t.why[to], more.why[to])
	}
	t.bytes += more.bytes
	t.read += more.read
	t.tooLarge = append(t.tooLarge, more.tooLarge...)
}

// Take moves the records of the files in a folder into the spool: a file is deleted when its records are on disk there. It
// returns how many records it has moved, and how many bytes of files it has left. The error says why it did not take what is finished;
// what is left is taken the next time.
func (s *Shipper) Take(dir string) (records int, left int64, err error) {
	if err := access.MakeIn(dir); err != nil { // where files cannot be deleted they would be sent over and over
		return 0, 0, fmt.Errorf("take the files of a folder: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, 0, fmt.Errorf("take the files of a folder: %w", err)
	}
	t := newTaken()
	put := func() error {
		n, err := s.put(t)
		records += n
		t = newTaken()
		return err
	}
	for _, entry := range entries {
		parts := recordsFile.FindStringSubmatch(entry.Name())
		if parts == nil || dir == s.spool && parseBatch(entry).isOurs() {
			continue
		}
		more, unfinished, readErr := s.readFile(filepath.Join(dir, entry.Name()), parts[1])
		left += unfinished
		if readErr != nil {
			err = readErr // the other files can be read
			continue
		}
		if t.add(more); int64(t.bytes) >= s.wire() || len(t.paths) >= takeFiles {
			if err := put(); err != nil {
				return records, sizeOf(entries), err
			}
		}
	}
	if err := put(); err != nil {
		return records, sizeOf(entries), err
	}
	return records, left, err
}

// sizeOf returns the bytes of those files of records that are still there.
func sizeOf(entries []fs.DirEntry) (n int64) {
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && recordsFile.MatchString(entry.Name()) {
			n += info.Size()
		}
	}
	return n
}

// readFile reads the records of one file. unfinished are its bytes when it is left where it is, as somebody may write it.
func (s *Shipper) readFile(path, agent string) (t *taken, unfinished int64, err error) {
	t = newTaken()
	// A link would lead the agent to what the writer may not read, and a FIFO would never end.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return t, 0, nil
		}
		return t, 0, fmt.Errorf("read a file of records: %w", cmp.Or(access.Read(path), err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return t, 0, err
	}
	in := io.Reader(f)
	if filepath.Ext(path) == ".gz" {
		in, err = gzip.NewReader(f)
	}
	if err == nil {
		err = t.readLines(in, agent)
	}
	if err != nil {
		if s.cfg.Now().Sub(info.ModTime()) < patience {
			return newTaken(), info.Size(), nil
		}
		if !errors.Is(err, errOpen) {
			s.cfg.Log.Warn("a file of records is damaged; what is whole in it is sent", "file", path, "error", err.Error())
			s.Drop(Damaged, 1, info.Size())
		}
	}
	t.paths = []string{path}
	return t, 0, nil
}

// A file that somebody still writes ends in one of these ways.
var (
	errUnfinished = errors.New("it ends within a record")
	errOpen       = errors.New("it does not end with a line end")
)

// readLines reads records, each a line. With errOpen all of them are read.
func (t *taken) readLines(in io.Reader, agent string) error {
	isEmpty := true
	for lines := bufio.NewReaderSize(in, 64<<10); ; {
		line, n, err := readLine(lines)
		isLast := err != nil
		if isLast && !errors.Is(err, io.EOF) {
			return err
		}
		text := bytes.TrimSpace(line)
		if n > record.MaxBytes+1 {
			t.tooLarge = append(t.tooLarge, int64(n))
			text = nil
		}
		if len(text) > 0 {
			project, wrong := bitville.Project(text)
			if wrong != nil && isLast {
				return errUnfinished
			}
			to := Stream{agent, project}
			if wrong != nil {
				to.Project = nobody
				t.why[to] = cmp.Or(t.why[to], wrong.Error())
			}
			t.records[to] = append(t.records[to], text)
			t.bytes += len(text)
			t.read++
		}
		if isLast && (n > 0 || isEmpty) {
			return errOpen
		}
		if isLast {
			return nil
		}
		isEmpty = false
	}
}

// readLine returns the next line, of which it keeps no more than a record may hold, and how many bytes it has.
func readLine(in *bufio.Reader) (line []byte, n int, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if n += len(part); n <= record.MaxBytes+1 {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, n, err
		}
	}
}

// put puts what was taken into the spool, and then deletes the files.
func (s *Shipper) put(t *taken) (records int, err error) {
	for to, lines := range t.records {
		if to.Project == nobody {
			err = s.putAside(to, lines, "not sent: "+t.why[to])
		} else {
			err = s.PutTo(to, lines...)
		}
		if err != nil {
			return 0, err
		}
	}
	for _, n := range t.tooLarge {
		s.Drop(TooLarge, 1, n)
	}
	for _, path := range t.paths {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return t.read, fmt.Errorf("delete a file whose records were taken: %w", cmp.Or(access.MakeIn(filepath.Dir(path)), err))
		}
	}
	return t.read, nil
}
