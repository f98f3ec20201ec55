package sqlite

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	sqlite3 "modernc.org/sqlite/lib"
)

// prepareFile makes the file when it is missing, readable for its owner alone, and otherwise refuses one
// that is not ours, before anything of it is changed.
func prepareFile(ctx context.Context, path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return fmt.Errorf("make the file: %w", err)
		}
		return f.Close()
	}
	if err != nil {
		return fmt.Errorf("look at the file: %w", err)
	}
	return checkFile(ctx, path, info)
}

// Check tells whether Open would take the file, as the user of this process, and changes nothing. A file that is missing
// Open makes, in a folder that must be there.
func Check(ctx context.Context, path string) error {
	path, err := reach(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the file: %w", err)
	}
	return refusal(path, checkFile(ctx, path, info))
}

func checkFile(ctx context.Context, path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return errors.New("is not a regular file")
	}
	if info.Size() == 0 {
		if log, err := os.Stat(path + "-wal"); err == nil && log.Size() > 0 {
			return errors.New("is empty, but has a log, which SQLite would delete: another program has cut the file; keep the -wal, and restore a backup")
		}
		return nil
	}
	pool := openPool(path, "ro", "", 1)
	defer pool.Close()
	var application, version, tables int
	err := pool.QueryRowContext(ctx, `SELECT (SELECT application_id FROM pragma_application_id),
		(SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)`).Scan(&application, &version, &tables)
	switch {
	case extendedCode(err) == sqlite3.SQLITE_READONLY_ROLLBACK && wasEmpty(path):
		return nil
	case err != nil:
		return explain(err)
	case tables > 0 && application != applicationID:
		return errors.New("is not a listener's database; name another file")
	case tables > 0 && version < oldestVersion:
		return fmt.Errorf("was made by a listener that was never released (schema %d, the oldest that this one knows is %d); name another file", version, oldestVersion)
	case version > schemaVersion:
		return fmt.Errorf("was made by a newer version of the listener (schema %d, this one knows %d)", version, schemaVersion)
	}
	for range 3 { // a listener that runs may make it smaller, or its log begin anew, just then
		var pages, size int64
		if err := pool.QueryRowContext(ctx, "SELECT page_count, page_size FROM pragma_page_count, pragma_page_size").Scan(&pages, &size); err != nil {
			return explain(err)
		}
		if !wasCut(path, pages, size) {
			return nil
		}
	}
	return errors.New("the database is damaged: another program has cut the file; keep it and its -wal, and restore a backup")
}

// wasEmpty tells whether the file had no table before the transaction that a power cut or a kill left unfinished: it was
// being made, and SQLite takes that back when it opens the file for writing. Our tables come once there is a log; until
// then there is a rollback journal, whose header has the number of pages before
// (https://www.sqlite.org/fileformat2.html#the_rollback_journal), and each table has a page beside the first.
func wasEmpty(path string) bool {
	var header [28]byte
	f, err := os.Open(path + "-journal")
	if err != nil {
		return false
	}
	defer f.Close()
	_, err = io.ReadFull(f, header[:])
	return err == nil && binary.BigEndian.Uint32(header[16:]) <= 1
}

// wasCut tells whether a database of so many pages lacks some: they are neither in the file nor in its WAL
// (https://www.sqlite.org/fileformat2.html#the_write_ahead_log). SQLite looks at the file's size only when there is no WAL.
func wasCut(path string, pages, pageSize int64) bool {
	const walHeader, frameHeader = 32, 24
	inFile := sizeOf(path) / pageSize
	lacks := func(logged int) bool { return pages-inFile-int64(logged) > neverWritten/pageSize }
	if !lacks(0) {
		return false
	}
	wal, err := os.Open(path + "-wal")
	if err != nil {
		return true
	}
	defer wal.Close()
	var header [walHeader]byte
	if _, err := wal.ReadAt(header[:], 0); err != nil {
		return true
	}
	logged := make(map[uint32]bool)
	for at := int64(walHeader); ; at += frameHeader + pageSize {
		var frame [frameHeader]byte
		if _, err := wal.ReadAt(frame[:], at); err != nil || !bytes.Equal(frame[8:16], header[16:24]) { // salts: of before the WAL was begun anew
			return lacks(len(logged))
		}
		if page := binary.BigEndian.Uint32(frame[:]); int64(page) > inFile {
			logged[page] = true
		}
	}
}
