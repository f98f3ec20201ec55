package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unicode"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/bitville/listener/shared/access"
)

// statementRows bounds what a backup copies between two looks at the clock: at most 256 MiB, of the largest
// records there can be.
const statementRows = 64

// spareBytes are those of the pages that a copy may have beside its source's: each table and each index has a last one.
const spareBytes = 16 * pageSize

// maxRest is how long a backup makes room for the WAL between two chunks: another reader may hold it too.
const maxRest = time.Second

// BackupReport says what a backup holds.
type BackupReport struct {
	Rows  int
	Bytes int64 // of the file
}

// Backup copies the database in the file from into a new file, a listener's database that is complete in itself,
// while a listener in any process goes on. It has every record that was acknowledged before the call; those that
// are stored or purged meanwhile may or may not be in it. The file appears under its name once it is whole, checked
// and on the disk, readable for its owner alone; before that, and when there is an error, there is none. One that is
// there is not overwritten. The error is one line.
//
// VACUUM INTO or SQLite's backup would read from first row to last in one transaction, and for as long the WAL could
// not begin anew: above walHardLimit ingest stops. Hence rows in chunks, as a purge does.
func Backup(ctx context.Context, from, to string) (report BackupReport, err error) {
	if from, err = access.Resolve(from); err != nil {
		return report, err
	}
	if err := mayBackUp(ctx, from, to); err != nil {
		return report, err
	}
	f, err := os.CreateTemp(filepath.Dir(to), filepath.Base(to)+".partial-") // 0600
	if err != nil {
		cause := errors.Unwrap(err) // without the name, of which the end is made up
		return report, fmt.Errorf("make a file in the folder %s: %w", filepath.Dir(to), cmp.Or(cause, err))
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if report.Rows, err = makeCopy(ctx, f.Name(), from); code(err) == sqlite3.SQLITE_FULL {
		return report, fmt.Errorf("the volume of %s is full; nothing of the backup is left there", filepath.Dir(to))
	} else if err != nil {
		return report, err
	}
	info, err := f.Stat()
	if err != nil {
		return report, fmt.Errorf("look at the file: %w", err)
	}
	report.Bytes = info.Size()
	if err := f.Sync(); err != nil {
		return report, fmt.Errorf("write the file to the disk: %w", err)
	}
	if err := mustBeNew(to); err != nil {
		return report, err
	}
	if err := os.Rename(f.Name(), to); err != nil {
		return report, fmt.Errorf("name the file: %w", err)
	}
	return report, syncFolder(filepath.Dir(to))
}

// mayBackUp refuses a source that is not a listener's database, a target that cannot be one, and a volume that the
// copy would fill.
func mayBackUp(ctx context.Context, from, to string) error {
	if err := mayBeNamed(from, to); err != nil {
		return err
	}
	info, err := os.Stat(from)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no database %s; set BITVILLE_DB_PATH to the listener's", from)
	} else if err != nil {
		return fmt.Errorf("look at the database: %w", err)
	}
	if err := checkFile(ctx, from, info); err != nil {
		return fmt.Errorf("look at the database: %w", err)
	}
	return mustFit(ctx, from, to)
}

// mayBeNamed refuses a name under which no new file can be, and those that SQLite would take for a part of a database.
func mayBeNamed(from, to string) error {
	switch {
	case to == "":
		return errors.New("the name is empty; name a new file")
	case strings.ContainsFunc(to, unicode.IsControl):
		return errors.New("the name has a control character in it; give it another")
	case strings.HasPrefix(to, "-"):
		return fmt.Errorf("a name that begins with - looks like an option, and a database is not written to standard output; name a new file, ./%s if it is to have that name", to)
	case strings.HasSuffix(to, "/"):
		return errors.New("that names a folder; name a new file in it")
	}
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		if base, ok := strings.CutSuffix(to, suffix); ok {
			return fmt.Errorf("a name that ends in %s is one of the files that SQLite keeps beside a database, here of %s; give it another name", suffix, base)
		}
	}
	if file, err := os.Stat(to); err == nil {
		if database, err := os.Stat(from); err == nil && os.SameFile(file, database) {
			return errors.New("that is the database itself; name a new file")
		}
	}
	if err := mustBeNew(to); err != nil {
		return err
	}
	folder, err := os.Stat(filepath.Dir(to))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no folder %s; make it first", filepath.Dir(to))
	case err != nil:
		return fmt.Errorf("look at the folder: %w", err)
	case !folder.IsDir():
		return fmt.Errorf("%s is a file and no folder; name a new file in a folder", filepath.Dir(to))
	}
	return nil
}

func mustBeNew(path string) error {
	info, err := os.Lstat(path)
	switch {
	case err == nil && info.IsDir():
		return errors.New("that is a folder; name a new file in it")
	case err == nil:
		return errors.New("there is a file of that name already")
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR): // mayBeNamed says which folder is none
		return nil
	}
	return fmt.Errorf("look at the file: %w", err)
}

// mustFit refuses a volume that the copy would fill. Pages that records have left are not copied. Where the WAL is on
// the same volume, ingest must be able to go on: it stops when less is free than the WAL has and spaceReserve. The WAL
// may grow meanwhile, by about what the backup reads: both go over the same disk. from is no symlink: the WAL is beside it.
func mustFit(ctx context.Context, from, to string) error {
	pool := openPool(from, "ro", "", 1)
	defer pool.Close()
	var live int64
	if err := pool.QueryRowContext(ctx, `SELECT (page_count - freelist_count) * page_size
		FROM pragma_page_count, pragma_freelist_count, pragma_page_size`).Scan(&live); err != nil {
		return fmt.Errorf("read the database: %w", explain(err))
	}
	need, beside := live+live/8+spareBytes, "" // pages are not filled alike
	var target, source syscall.Stat_t
	if err := errors.Join(syscall.Stat(filepath.Dir(to), &target), syscall.Stat(filepath.Dir(from), &source)); err != nil {
		return fmt.Errorf("look at the folders: %w", err)
	}
	if target.Dev == source.Dev {
		room := sizeOf(from+"-wal") + spaceReserve + min(live, walHardLimit)
		need += room
		beside = fmt.Sprintf(", %s of them for the database's WAL, which is on the same volume", atLeast(room))
	}
	free, err := freeSpace(to)
	if err != nil {
		return fmt.Errorf("look at the folder: %w", err)
	}
	if free < need {
		return fmt.Errorf("the volume of %s has %s free, and %s are needed%s", filepath.Dir(to), inUnits(free), atLeast(need), beside)
	}
	return nil
}

// inUnits writes bytes in MB, those below one in KB, without what is over.
func inUnits(bytes int64) string {
	if bytes < 1<<20 {
		return fmt.Sprintf("%d KB", bytes>>10)
	}
	return fmt.Sprintf("%d MB", bytes>>20)
}

// atLeast writes bytes as inUnits does, rounded up.
func atLeast(bytes int64) string {
	if bytes <= 1<<20-1<<10 {
		return inUnits(bytes + 1<<10 - 1)
	}
	return inUnits(bytes + 1<<20 - 1)
}

// makeCopy makes the empty file path a copy of the database in from.
func makeCopy(ctx context.Context, path, from string) (rows int, err error) {
	// Nobody sees the file before it is whole: neither a journal nor syncs are worth their time.
	pool := openPool(path, "rw", "", 1, "journal_mode(OFF)", "synchronous(OFF)")
	defer func() { err = errors.Join(err, pool.Close()) }()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return 0, fmt.Errorf("open the file: %w", explain(err))
	}
	defer conn.Close()
	if _, err := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA page_size = %d; PRAGMA auto_vacuum = 2", pageSize)); err != nil {
		return 0, fmt.Errorf("open the file: %w", explain(err))
	}
	if _, err := conn.ExecContext(ctx, schema+rollupTables+refusalTable); err != nil {
		return 0, fmt.Errorf("make the tables: %w", explain(err))
	}
	if from, err = filepath.Abs(from); err != nil {
		return 0, fmt.Errorf("find the database: %w", err)
	}
	source := url.URL{Scheme: "file", Path: from, RawQuery: "mode=ro"}
	if _, err := conn.ExecContext(ctx, "ATTACH ? AS source", source.String()); err != nil {
		return 0, fmt.Errorf("open the database: %w", explain(err))
	}
	version, err := pragmaInt(ctx, conn, "source.user_version")
	if err != nil {
		return 0, fmt.Errorf("read the database: %w", explain(err))
	}
	if version != schemaVersion {
		return 0, fmt.Errorf("the database has schema %d and this listener %d: start this one on it first", version, schemaVersion)
	}
	if _, err := conn.ExecContext(ctx, copyRollups); err != nil {
		return 0, fmt.Errorf("copy rollups: %w", explain(err))
	}
	if rows, err = copyRows(ctx, conn, from+"-wal"); err != nil {
		return rows, fmt.Errorf("copy records: %w", explain(err))
	}
	if _, err := makeIndexes(ctx, conn, func(string) {}); err != nil { // after the rows: it sorts them
		return rows, err
	}
	if _, err := conn.ExecContext(ctx, stamp()); err != nil {
		return rows, fmt.Errorf("complete the copy: %w", explain(err))
	}
	var found string
	if err := conn.QueryRowContext(ctx, "PRAGMA main.quick_check(1)").Scan(&found); err != nil {
		return rows, fmt.Errorf("check the copy: %w", explain(err))
	}
	if found != "ok" {
		return rows, fmt.Errorf("check the copy: %s", found)
	}
	return rows, nil
}

// copyRows copies the rows that are there now from source to main, by id, with a short transaction for each chunk.
// wal is the path of the source's WAL.
func copyRows(ctx context.Context, conn *sql.Conn, wal string) (rows int, err error) {
	var last, end int64
	if err := conn.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) FROM source.profiling_data").Scan(&end); err != nil {
		return 0, err
	}
	for last < end {
		n, err := copyChunk(ctx, conn, &last, end)
		rows += n
		if err != nil {
			return rows, err
		}
		if err := letWALRestart(ctx, wal); err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// letWALRestart is the pause between two chunks. The WAL begins anew when its writer finds nobody who reads it: once it is
// large enough for that, and being written, the writer must have the chance.
func letWALRestart(ctx context.Context, wal string) error {
	for start := time.Now(); ; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(chunkPause):
		}
		info, err := os.Stat(wal)
		if err != nil || info.Size() <= walSoftLimit || time.Since(info.ModTime()) > walInterval || time.Since(start) > maxRest {
			return nil
		}
	}
}

// copyChunk copies rows above *last for chunkTime, and moves *last up.
func copyChunk(ctx context.Context, conn *sql.Conn, last *int64, end int64) (rows int, err error) {
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback()
		}
	}()
	for start := time.Now(); *last < end && time.Since(start) < chunkTime; {
		next := end
		if err := tx.QueryRowContext(ctx, copyMark, *last, end, statementRows).Scan(&next); err != nil {
			return rows, err
		}
		n, err := affected(tx.ExecContext(ctx, copyRecords, *last, next))
		if err != nil {
			return rows, err
		}
		rows += n
		*last = next
	}
	return rows, tx.Commit()
}

// syncFolder makes a rename in the folder last through a power cut.
func syncFolder(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open the folder: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write the folder to the disk: %w", err)
	}
	return nil
}
