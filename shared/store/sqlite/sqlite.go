// Package sqlite keeps records in one SQLite file beside the process.
//
// One goroutine owns the only writing connection. Concurrent inserts share a transaction (group commit),
// and each of them returns after that transaction has committed: a process killed at any moment has kept
// every record that it acknowledged. Reads have connections of their own and never wait for the writer.
package sqlite

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // pure Go: one static binary, no C compiler
)

// schema makes the tables of a new file, and what a file of the first version lacks.
//
//go:embed schema.sql
var schema string

// schemaVersion is what PRAGMA user_version says of a file that has all of schema.
const schemaVersion = 3

// statistics tells SQLite's planner what the indexes are worth. Its file says why.
//
//go:embed statistics.sql
var statistics string

// applicationID marks a database file as ours (PRAGMA application_id): "BITV".
const applicationID = 0x42495456

const (
	// lockTimeout is how long to wait for another process's lock. With the time in the queue it is a second,
	// below what an agent waits for an answer: a locked database is told and not timed out.
	lockTimeout = 400 * time.Millisecond
	// lockPoll is how often the writer tries meanwhile. SQLite's own schedule ends at every 100 ms, which
	// misses the gaps that a purge by another process leaves between its chunks.
	lockPoll = 2 * time.Millisecond

	pageSize = 2048 // bytes, of a new file
)

// Config says how to open a database.
type Config struct {
	Path        string // of the file; it is made when missing, its folder is not
	Synchronous string // NORMAL or FULL: what a power cut may cost, see PRAGMA synchronous
	Now         func() time.Time
	Observe     func(Commit) // told of each group, by the writer, which waits meanwhile; may be nil
	Exclusive   bool         // fail when another process has it open so
}

// DB is an open database. Its methods may be called from any goroutine.
type DB struct {
	Reader
	cfg    Config
	pool   *sql.DB   // holds conn and nothing else
	conn   *sql.Conn // owned by the writer goroutine
	insert *sql.Stmt // on conn

	lookups  *lookups  // the writer's
	inserted time.Time // the last time; the writer's

	queue  chan *job
	tasks  chan *job
	queued atomic.Int64 // bytes of work in queue and being written
	pace   atomic.Int64 // nanoseconds that the writer needs for a MiB of work, its checkpoints included
	log    wal
	file   os.FileInfo           // of the database file, as it was opened
	disk   *os.File              // the same, for syncs; closed last, for that drops the process's locks on the file
	watch  *watch                // the checkpointer's
	free   func() (int64, error) // freeSpace, or what a test makes of it

	closing sync.RWMutex // held for reading while a job is handed to the writer
	closed  bool
	stop    chan struct{} // closed when Close begins
	done    sync.WaitGroup
}

// Open opens or makes the database and brings its schema up to date. A file that is not a listener's, or
// that a newer version made, is refused and left as it is.
func Open(ctx context.Context, cfg Config) (_ *DB, err error) {
	if cfg.Path, err = reach(cfg.Path); err != nil {
		return nil, err
	}
	defer func() { err = refusal(cfg.Path, err) }()
	if err := prepareFile(ctx, cfg.Path); err != nil {
		return nil, err
	}
	db := &DB{
		cfg:   cfg,
		pool:  openWriter(cfg.Path),
		queue: make(chan *job, maxQueuedJobs),
		tasks: make(chan *job),
		log:   wal{path: cfg.Path + "-wal"},
		stop:  make(chan struct{}),
	}
	db.free = db.freeSpace
	db.pace.Store(int64(firstPace))
	defer func() {
		if err != nil {
			_ = db.pool.Close()
			if db.watch != nil {
				_ = db.watch.index.Close()
			}
			if db.disk != nil {
				_ = db.disk.Close()
			}
		}
	}()
	if db.disk, err = os.Open(cfg.Path); err != nil {
		return nil, fmt.Errorf("open the file: %w", err)
	}
	if cfg.Exclusive && !tryLock(db.disk) {
		return nil, errors.New("another listener serves it; stop that one first, or name another file")
	}
	if db.conn, err = db.pool.Conn(ctx); err != nil {
		return nil, explain(err)
	}
	if err := db.configure(ctx); err != nil {
		return nil, err
	}
	if err := migrate(ctx, db.conn); err != nil {
		return nil, err
	}
	if db.insert, err = db.conn.PrepareContext(ctx, insertSQL); err != nil {
		return nil, fmt.Errorf("prepare insert: %w", err)
	}
	if db.lookups, err = newLookups(ctx, db.conn, cfg.Now); err != nil {
		return nil, err
	}
	if db.file, err = db.disk.Stat(); err != nil {
		return nil, fmt.Errorf("look at the file: %w", err)
	}
	reader, err := OpenReader(ctx, cfg.Path)
	if err != nil {
		return nil, err
	}
	db.Reader = *reader
	if db.watch, err = newWatch(cfg.Path, db.disk); err != nil {
		_ = reader.Close()
		return nil, fmt.Errorf("look at the database's log: %w", err)
	}
	db.done.Go(db.write)
	db.done.Go(db.checkpointer)
	return db, nil
}

// Close stores what is queued, copies the log into the database and closes it. A file that another program wrote to it
// leaves as it is, with its log, and open: SQLite would copy as well.
func (db *DB) Close() error {
	db.closing.Lock()
	first := !db.closed
	db.closed = true
	db.closing.Unlock()
	if !first {
		return nil
	}
	close(db.stop)
	close(db.queue) // nobody sends any more: senders hold closing
	db.done.Wait()
	if db.watch.isForeign() {
		return errForeign
	}
	err := db.Reader.Close()
	_, _, cpErr := checkpoint(context.Background(), db.conn, "TRUNCATE")
	return errors.Join(err, cpErr, db.lookups.close(), db.insert.Close(), db.conn.Close(), db.pool.Close(), db.watch.index.Close(), db.disk.Close())
}

// openWriter opens the pool of the connection that records are written by.
func openWriter(path string) *sql.DB {
	registerVFS()
	return openURL(path, url.Values{"mode": {"rw"}, "vfs": {vfsName}}, 1)
}

func openPool(path, mode string, conns int, pragmas ...string) *sql.DB {
	return openURL(path, url.Values{"mode": {mode}, "_pragma": pragmas}, conns)
}

func openURL(path string, query url.Values, conns int) *sql.DB {
	query.Add("_pragma", fmt.Sprintf("busy_timeout(%d)", lockTimeout.Milliseconds()))
	// An absolute path in a URL: a name may hold "?", "#" or "%".
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	pool, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		panic("sqlite driver is linked in: " + err.Error())
	}
	pool.SetMaxOpenConns(conns)
	pool.SetMaxIdleConns(conns)
	return pool
}

// configure sets what the writing connection needs, and reads it back: SQLite ignores what it cannot do.
func (db *DB) configure(ctx context.Context) error {
	synchronous, ok := map[string]string{"NORMAL": "1", "FULL": "2"}[db.cfg.Synchronous]
	if !ok {
		return fmt.Errorf("synchronous is %q: NORMAL or FULL", db.cfg.Synchronous)
	}
	// Before the first table; an older file keeps its own. A record dirties fewer bytes of small pages.
	if _, err := db.conn.ExecContext(ctx, fmt.Sprintf("PRAGMA page_size = %d", pageSize)); err != nil {
		return explain(err)
	}
	for _, p := range []struct{ name, value string }{
		{"auto_vacuum", "2"}, // INCREMENTAL, so that a purge gives space back; only before the first table
		{"journal_mode", "wal"},
		{"synchronous", synchronous},
		{"wal_autocheckpoint", "0"}, // a checkpoint of our own, off the request path
		{"journal_size_limit", fmt.Sprint(walKept)},
		{"cache_size", "-8192"}, // 8 MiB; each commit walks the whole cache, so that more is slower
		{"busy_timeout", "0"},   // from here on whileLocked waits
	} {
		var got string
		err := db.conn.QueryRowContext(ctx, "PRAGMA "+p.name+" = "+p.value).Scan(&got)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return explain(err)
		}
		if err := db.conn.QueryRowContext(ctx, "PRAGMA "+p.name).Scan(&got); err != nil {
			return explain(err)
		}
		if got != p.value {
			return fmt.Errorf("PRAGMA %s is %s and cannot be set to %s", p.name, got, p.value)
		}
	}
	return nil
}

// whileLocked tries until no other process has the lock, for lockTimeout.
func whileLocked(try func() error) error {
	for deadline := time.Now().Add(lockTimeout); ; time.Sleep(lockPoll) {
		if err := try(); !isLocked(err) || time.Now().After(deadline) {
			return err
		}
	}
}

// migrate brings the schema up to date in one transaction. The version is read inside it: two processes may
// start on a new file at once.
func migrate(ctx context.Context, conn *sql.Conn) (err error) {
	exec := func(script string) error {
		_, err := conn.ExecContext(ctx, script)
		return explain(err)
	}
	if err := whileLocked(func() error { return exec("BEGIN IMMEDIATE") }); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = exec("ROLLBACK")
		}
	}()
	version, err := pragmaInt(ctx, conn, "user_version")
	if err != nil {
		return explain(err)
	}
	if version < schemaVersion {
		script := schema
		if version < 2 {
			script += fillAll
		}
		err := exec(fmt.Sprintf("%s; %s; PRAGMA application_id = %d; PRAGMA user_version = %d", script, statistics, applicationID, schemaVersion))
		if err != nil {
			return fmt.Errorf("bring the schema to version %d: %w", schemaVersion, err)
		}
	}
	return exec("COMMIT")
}
