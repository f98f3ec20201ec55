package faultvfs

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"

	sqlite3 "modernc.org/sqlite/lib"
)

// Fault is what is to go wrong.
type Fault struct {
	Op    string // open, write, sync or truncate
	First int    // the first of them that fails, counted from 1 when the fault is set
	Times int    // how many fail from there on, 0 for all until it is taken away
	Error string // EIO, ENOSPC, or SHORT for a write of which half arrives before the disk is full
}

// SetFault has a process whose faults come from the file meet this one, and none when it is nil.
func SetFault(path string, f *Fault) error {
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return fmt.Errorf("set a fault: %w", err)
	}
	return os.Rename(path+".new", path)
}

// Hits returns how often a process whose faults come from the file has met one.
func Hits(path string) int {
	info, err := os.Stat(path + ".hits")
	if err != nil {
		return 0
	}
	return int(info.Size())
}

// faults are those that a file sets.
type faults struct {
	path string

	mu    sync.Mutex
	file  os.FileInfo // that fault is from
	fault *Fault
	seen  int // ops of the fault's kind
}

// next tells whether an op fails, and how: "" when it does not.
func (f *faults) next(op string) string {
	if f.path == "" {
		return ""
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err != nil {
		return ""
	}
	if f.file == nil || !os.SameFile(info, f.file) || !info.ModTime().Equal(f.file.ModTime()) {
		text, err := os.ReadFile(f.path)
		if err != nil {
			return ""
		}
		f.file, f.fault, f.seen = info, nil, 0
		if json.Unmarshal(text, &f.fault) != nil {
			panic("no fault: " + string(text))
		}
	}
	if f.fault == nil || f.fault.Op != op {
		return ""
	}
	f.seen++
	if f.seen < f.fault.First || f.fault.Times > 0 && f.seen >= f.fault.First+f.fault.Times {
		return ""
	}
	hits, err := os.OpenFile(f.path+".hits", os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic("count a fault: " + err.Error())
	}
	defer hits.Close()
	_, _ = hits.WriteString(".")
	return f.fault.Error
}

// code is what SQLite's own VFS makes of an error.
func code(op, failure string) int32 {
	switch {
	case op == "open":
		return sqlite3.SQLITE_CANTOPEN
	case op == "write" && failure != "EIO":
		return sqlite3.SQLITE_FULL
	case op == "write":
		return sqlite3.SQLITE_IOERR_WRITE
	case op == "sync":
		return sqlite3.SQLITE_IOERR_FSYNC
	}
	return sqlite3.SQLITE_IOERR_TRUNCATE
}
