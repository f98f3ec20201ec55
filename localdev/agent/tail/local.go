package tail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Local are the log's files on this machine. A file stays open while it is wanted: one that is renamed or removed
// meanwhile is read to its end.
type Local struct {
	pattern string
	suffix  string              // of the names, beside the pattern
	open    map[string]*os.File // by id
	seen    map[string]bool     // ids of the last List
}

// NewLocal returns the files that a pattern, such as /var/log/postgresql/*.json, stands for.
func NewLocal(pattern string) *Local {
	return &Local{pattern: pattern, open: make(map[string]*os.File)}
}

// List is of Files.
func (l *Local) List(_ context.Context, wanted map[string]bool) (files []File, err error) {
	dir := filepath.Dir(l.pattern)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read the folder of the log (BITVILLE_POSTGRES_LOG): %w", err)
	}
	seen := make(map[string]bool)
	for _, entry := range entries {
		matches, err := filepath.Match(filepath.Base(l.pattern), entry.Name())
		if err != nil {
			return nil, fmt.Errorf("the pattern of the log's files (BITVILLE_POSTGRES_LOG): %w", err)
		}
		matches = matches && strings.HasSuffix(entry.Name(), l.suffix) && entry.Name()[0] != '.'
		path := filepath.Join(dir, entry.Name())
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() {
			continue // it went away meanwhile
		}
		file := describe(path, info)
		if !matches && !wanted[file.ID] || seen[file.ID] {
			continue
		}
		if l.open[file.ID] == nil && (wanted[file.ID] || !l.seen[file.ID]) {
			if err := l.hold(file); err != nil {
				return nil, err
			}
		}
		seen[file.ID] = true
		files = append(files, file)
	}
	for id, handle := range l.open {
		isNew := seen[id] && !l.seen[id]
		info, err := handle.Stat()
		if err != nil || !wanted[id] && !isNew {
			_ = handle.Close()
			delete(l.open, id)
		} else if !seen[id] { // removed, or moved elsewhere
			files = append(files, describe(handle.Name(), info))
		}
	}
	l.seen = seen
	return files, nil
}

func describe(path string, info fs.FileInfo) File {
	id := path
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		id = fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
	}
	return File{Name: path, ID: id, Size: info.Size(), Modified: info.ModTime()}
}

// hold opens a file.
func (l *Local) hold(file File) error {
	handle, err := os.Open(file.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open the log: %w; let the agent's user read it: add the user to the group that owns the file, and set log_file_mode = 0640", err)
	}
	if info, err := handle.Stat(); err != nil || describe(file.Name, info).ID != file.ID {
		_ = handle.Close() // it was replaced meanwhile: the next look finds it
		return nil
	}
	l.open[file.ID] = handle
	return nil
}

// ReadAt is of Files.
func (l *Local) ReadAt(_ context.Context, f File, p []byte, offset int64) (int, error) {
	if l.open[f.ID] == nil {
		if err := l.hold(f); err != nil {
			return 0, err
		}
	}
	handle := l.open[f.ID]
	if handle == nil {
		return 0, nil
	}
	n, err := handle.ReadAt(p, offset)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// Close closes the files.
func (l *Local) Close() {
	for id, handle := range l.open {
		_ = handle.Close()
		delete(l.open, id)
	}
}
