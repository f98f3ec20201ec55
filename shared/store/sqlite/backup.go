package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// statementRows bounds what a backup copies between two looks at the clock: at most 256 MiB, of the largest
// records there can be.
const statementRows = 64

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
// there is not overwritten.
//
// VACUUM INTO or SQLite's backup would read from first row to last in one transaction, and for as long the WAL could
// not begin anew: above walHardLimit ingest stops. Hence rows in chunks, as a purge does.
func Backup(ctx context.Context, from, to string) (report BackupReport, err error) {
	if err := mayBackUp(ctx, from, to); err != nil {
		return report, err
	}
	f, err := os.CreateTemp(filepath.Dir(to), filepath.Base(to)+".partial-") // 0600
	if err != nil {
		return report, fmt.Errorf("make the file: %w", err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if report.Rows, err = makeCopy(ctx, f.Name(), from); err != nil {
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

// mayBackUp refuses a source that is not a listener's database, a file that is there, and a disk that the copy
// would fill: on the database's own disk that would stop ingest.
func mayBackUp(ctx context.Context, from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return fmt.Errorf("look at the database: %w", err)
	}
	if err := checkFile(ctx, from, info); err != nil {
		return fmt.Errorf("look at the database: %w", err)
	}
	if err := mustBeNew(to); err != nil {
		return err
	}
	free, err := freeSpace(to)
	if err != nil {
		return fmt.Errorf("look at the folder: %w", err)
	}
	if need := info.Size() + 2*walHardLimit; free < need { // one log now, and as much again while it runs
		return fmt.Errorf("the disk has %d MB free, and %d MB may be needed", free>>20, need>>20)
	}
	return nil
}

func mustBeNew(path string) error {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(errors.New("there is a file of that name already"), err)
	}
	return nil
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
	if _, err := conn.ExecContext(ctx, schema); err != nil {
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
