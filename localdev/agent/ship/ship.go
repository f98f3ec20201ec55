// Package ship keeps an agent's records on disk until the listener has acknowledged them, and sends them in batches.
//
// What Put has taken is on disk, and leaves it in one of three ways: the listener has acknowledged it; it lies in the
// folder rejected with the listener's own words beside it; or the spool was full and it was the oldest, which is counted
// and said. A process that is killed sends some records again, which the listener takes for duplicates, and loses none.
//
// The folder spool is the queue. A batch is a file of it: NDJSON under gzip, as it goes over the wire, so that each try
// has the same body. A batch that still grows has a name with a leading dot. It consists of gzip members, each of them
// synced; what stands behind the last whole one after a crash was never promised to anybody, and is cut off.
package ship

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/record"
)

// Stream is where records go: batches are cut for each.
type Stream struct {
	Agent   string // php or postgres: the last part of the listener's path
	Project string // in the form of record.Project
}

// Config is what a Shipper needs.
type Config struct {
	Dir           string // holds the folders spool and rejected, which are made when they are missing
	URL           string // of the listener, https://host:port
	CAPath        string // a PEM file of certificates to trust beside the system's; may be empty
	Stream        Stream // where Put sends to
	MaxBytes      int64  // of both folders
	DropOldest    bool   // in a full spool the oldest batches go; else Put returns ErrFull
	FlushInterval time.Duration
	Version       string // of the agent, for the listener's log
	Log           *slog.Logger
	Now           func() time.Time
	Counts        Counts

	// Keys returns the keys of all projects. They are read at first, and again whenever the listener refuses one.
	Keys func() ([]auth.Key, error)
}

// Counts is told what happens, for metrics. Its functions may be called from any goroutine.
type Counts struct {
	Sent    func(answer string, records int) // accepted, duplicate, rejected
	Dropped func(reason string, records int) // one of Reasons, or of the agent's own
	Posted  func(status string)              // the HTTP status, or none when there was no answer
}

// Uncounted is for those who have no metrics.
var Uncounted = Counts{func(string, int) {}, func(string, int) {}, func(string) {}}

// Reasons why the Shipper drops records.
const (
	Full     = "spool_full" // the bound was reached, or the disk is full, and they were the oldest
	TooLarge = "too_large"  // one record that the listener would refuse by its size alone
	Damaged  = "damaged"    // a file of records that ends within one, or whose gzip is broken
)

// Reasons returns all of these.
func Reasons() []string { return []string{Full, TooLarge, Damaged} }

// ErrFull says that the bound is reached, or that the disk is full, and that the records were not taken.
var ErrFull = errors.New("the spool is full")

// Shipper keeps records and sends them. Its methods may be called from any goroutine.
type Shipper struct {
	cfg      Config
	spool    string
	rejected string
	lock     *os.File
	wake     chan struct{} // of one place: there is something to send

	mu       sync.Mutex
	growing  map[Stream]*segment
	waiting  []*batch // oldest first
	aside    []*batch // in rejected, oldest first
	bytes    int64    // of all of these
	lastName int64    // the time in the last name that was given, in Unix microseconds
	zip      *gzip.Writer
	drops    drops
	isDown   bool // the listener did not answer last time

	sender sender // Run's goroutine's
}

// Open makes the folders, finds what an earlier process has left in them, and keeps others from using them. The error
// names the folder or the file that cannot be used.
func Open(cfg Config) (*Shipper, error) {
	cfg.FlushInterval = cmp.Or(cfg.FlushInterval, time.Second)
	cfg.Stream.Project = record.Project(cfg.Stream.Project)
	s := &Shipper{
		cfg:      cfg,
		spool:    filepath.Join(cfg.Dir, "spool"),
		rejected: filepath.Join(cfg.Dir, "rejected"),
		wake:     make(chan struct{}, 1),
		growing:  make(map[Stream]*segment),
		drops:    drops{waiting: make(map[string]drop)},
	}
	s.zip, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed) // a level that exists
	for _, dir := range []string{s.spool, s.rejected} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make the folder of the spool: %w", err)
		}
	}
	var err error
	if s.lock, err = lockFolder(cfg.Dir); err != nil {
		return nil, err
	}
	if err = s.recover(); err == nil {
		err = s.sender.open(cfg)
	}
	if err != nil {
		_ = s.lock.Close()
		return nil, err
	}
	return s, nil
}

// lockFile stands in Config.Dir.
const lockFile = ".lock"

// lockFolder keeps another process out until it is closed, or this process ends.
func lockFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the folder: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("the folder %s is used by another agent; end that one, or give each a folder of its own", dir)
		}
		return nil, fmt.Errorf("lock the folder %s: %w", dir, err)
	}
	return f, nil
}

// InUse tells whether an agent runs that has a folder.
func InUse(dir string) bool {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// Put takes records of Config.Stream; see PutTo.
func (s *Shipper) Put(records ...[]byte) error { return s.PutTo(s.cfg.Stream, records...) }

// PutTo takes records, each the JSON of one object in the listener's wire format, and returns once they are on disk. After an
// error some of them may be, and the caller may put all of them again. The error is ErrFull when there is no room.
func (s *Shipper) PutTo(to Stream, records ...[]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(records) > 0 {
		m, rest := s.compress(records)
		if err := s.append(to, m); err != nil {
			return err
		}
		records = rest
	}
	seg := s.growing[to]
	if seg == nil {
		return nil
	}
	s.ring()
	return s.sync(seg)
}

// ring tells Run that there is something to do.
func (s *Shipper) ring() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Bytes is how much the spool holds, with what was rejected.
func (s *Shipper) Bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// Up tells whether the listener answered last time; before the first time it does.
func (s *Shipper) Up() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.isDown
}

// Close ends what Open began. Run must have returned.
func (s *Shipper) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, seg := range s.growing {
		errs = append(errs, s.cut(seg))
	}
	s.drops.tell(s.cfg.Log)
	s.sender.client.CloseIdleConnections()
	return errors.Join(append(errs, s.lock.Close())...)
}

// isFull tells whether a write failed for want of room.
func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// statusName is what an answer is counted by.
func statusName(code int) string {
	if code == 0 {
		return "none"
	}
	return fmt.Sprint(code)
}
