package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/bitville/listener/shared/access"
)

// reach follows the symbolic links of a database's path, once: SQLite would look for the WAL beside the link. It tells
// in a sentence what the file system does not let this process do with the file, its folder, its WAL and its index.
func reach(path string) (string, error) {
	if path == "" || os.IsPathSeparator(path[len(path)-1]) {
		return "", errors.New("names a folder: name a file in it, such as bitville.db")
	}
	path, err := access.Resolve(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		if why := access.Write(path); why != nil {
			return "", why
		}
		return "", fmt.Errorf("look at the file: %w", err)
	case info.IsDir():
		return "", fmt.Errorf("is not a regular file but a folder: name a file in it, such as %s", filepath.Join(path, "bitville.db"))
	case !info.Mode().IsRegular():
		return "", errors.New("is not a regular file")
	}
	if info != nil {
		if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Nlink > 1 {
			return "", fmt.Errorf("has %d names (hard links), each of which would have a WAL of its own and damage the database: remove the others (find %s -samefile %s), or copy the file",
				stat.Nlink, filepath.Dir(path), path)
		}
		if err := access.Write(path); err != nil {
			return "", readOnly(err)
		}
	}
	if err := access.MakeIn(filepath.Dir(path)); err != nil {
		return "", readOnly(err)
	}
	for _, suffix := range []string{"-wal", "-shm", "-journal"} {
		if info, err := os.Stat(path + suffix); err == nil && !info.Mode().IsRegular() {
			return "", fmt.Errorf("%s is not a regular file, and SQLite keeps a file of that name beside the database: move it away", path+suffix)
		}
		if err := access.Write(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", readOnly(err)
		}
	}
	return path, nil
}

// readOnly says first what an immutable file or a read-only file system comes to.
func readOnly(err error) error {
	if errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("the database is read-only: %w", err)
	}
	return err
}

// refusal tells why the file system refused SQLite a file, where it did; else it returns err.
func refusal(path string, err error) error {
	switch code(err) {
	case sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_AUTH:
		if _, why := reach(path); why != nil {
			return why
		}
		if extended := extendedCode(err); extended == sqlite3.SQLITE_IOERR_SHMOPEN || extended == sqlite3.SQLITE_IOERR_SHMMAP ||
			extended == sqlite3.SQLITE_IOERR_SHMLOCK || extended == sqlite3.SQLITE_IOERR_SHMSIZE || extended == sqlite3.SQLITE_IOERR_LOCK {
			return fmt.Errorf("the file system of %s lacks the shared memory or the locks that SQLite needs: name a file on a local disk", path)
		}
	}
	return err
}

// Served tells whether a listener serves the database now, as far as this process may look.
func Served(path string) bool {
	path, err := access.Resolve(strings.TrimSuffix(path, "/"))
	if err != nil {
		return false
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO that nobody writes would never open
	if err != nil {
		return false
	}
	defer f.Close()
	return isLockedByAnother(f)
}
