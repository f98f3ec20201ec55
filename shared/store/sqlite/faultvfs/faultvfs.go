// Package faultvfs stands between SQLite and the file system in tests: it keeps a trace of what SQLite writes and syncs, from
// which a test makes what a power cut would have left, and has the file system fail. Only a listener that is built with
// the tag torture links it.
//
// It is below all of the listener's own code, the VFS of package sqlite included, and above SQLite's own VFS. What it does
// not see is the -shm file, which SQLite makes anew from the log when nobody has the database open, and the syncs that the
// listener asks the kernel for by itself; to leave those out makes a trace promise less than the disk had.
package faultvfs

import (
	"os"
	"sync"
	"time"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/bitville/listener/shared/store/sqlite/cabi"
)

// vfs is the one that is registered. SQLite calls functions, not methods: it is there once.
var vfs struct {
	trace  *os.File
	faults faults

	open, delete uintptr // the file system's own

	mu      sync.Mutex
	files   map[uintptr]file                                              // by SQLite's address
	methods map[*sqlite3.Tsqlite3_io_methods]*sqlite3.Tsqlite3_io_methods // ours, by the file system's own
	syncs   uint64
}

// file is one that is open.
type file struct {
	path string
	own  *sqlite3.Tsqlite3_io_methods // the file system's: a database has other ones than its log
}

// Register puts the VFS below every database that is opened from now on. It appends to the trace, and meets the faults that
// SetFault sets in the file; either path may be "".
func Register(trace, faultsPath string) error {
	if trace != "" {
		f, err := os.OpenFile(trace, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		vfs.trace = f
	}
	vfs.faults.path = faultsPath
	vfs.files, vfs.methods = make(map[uintptr]file), make(map[*sqlite3.Tsqlite3_io_methods]*sqlite3.Tsqlite3_io_methods)
	tls := libc.NewTLS()
	sqlite3.Xsqlite3_initialize(tls)
	own := cabi.New[sqlite3.Tsqlite3_vfs](tls)
	*own = *cabi.At[sqlite3.Tsqlite3_vfs](sqlite3.Xsqlite3_vfs_find(tls, 0))
	name, err := libc.CString("faults")
	if err != nil {
		return err
	}
	vfs.open, vfs.delete = own.FxOpen, own.FxDelete
	own.FzName, own.FxOpen, own.FxDelete = name, cabi.Func(openFile), cabi.Func(deleteFile)
	sqlite3.Xsqlite3_vfs_register(tls, uintptr(unsafe.Pointer(own)), 1)
	return nil
}

// record appends an op to the trace. It panics when it cannot: a trace with a gap would make every later test lie.
func record(op Op) {
	if vfs.trace == nil {
		return
	}
	op.At = time.Now()
	if _, err := vfs.trace.Write(op.encode()); err != nil {
		panic("write the trace: " + err.Error())
	}
}

func fileAt(address uintptr) file {
	vfs.mu.Lock()
	defer vfs.mu.Unlock()
	return vfs.files[address]
}

func openFile(tls *libc.TLS, own, name, address uintptr, flags int32, outFlags uintptr) int32 {
	if vfs.faults.next("open") != "" {
		cabi.At[sqlite3.Tsqlite3_file](address).FpMethods = 0
		return code("open", "")
	}
	rc := cabi.Go[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](vfs.open)(tls, own, name, address, flags, outFlags)
	if rc != sqlite3.SQLITE_OK || name == 0 {
		return rc // a temporary file needs no name, and no care
	}
	vfs.mu.Lock()
	defer vfs.mu.Unlock()
	f := cabi.At[sqlite3.Tsqlite3_file](address)
	methods := cabi.At[sqlite3.Tsqlite3_io_methods](f.FpMethods)
	ours := vfs.methods[methods]
	if ours == nil {
		ours = cabi.New[sqlite3.Tsqlite3_io_methods](tls)
		*ours = *methods
		ours.FxWrite, ours.FxSync, ours.FxTruncate, ours.FxClose = cabi.Func(writeFile), cabi.Func(syncFile), cabi.Func(truncateFile), cabi.Func(closeFile)
		vfs.methods[methods] = ours
	}
	vfs.files[address] = file{libc.GoString(name), methods}
	f.FpMethods = uintptr(unsafe.Pointer(ours))
	return rc
}

func deleteFile(tls *libc.TLS, own, name uintptr, syncDir int32) int32 {
	rc := cabi.Go[func(*libc.TLS, uintptr, uintptr, int32) int32](vfs.delete)(tls, own, name, syncDir)
	if rc == sqlite3.SQLITE_OK {
		record(Op{Kind: Delete, File: libc.GoString(name)})
	}
	return rc
}

func writeFile(tls *libc.TLS, address, data uintptr, n int32, offset int64) int32 {
	f, failure := fileAt(address), vfs.faults.next("write")
	if failure == "SHORT" {
		n /= 2
	}
	if failure == "" || failure == "SHORT" {
		rc := cabi.Go[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](f.own.FxWrite)(tls, address, data, n, offset)
		if rc != sqlite3.SQLITE_OK {
			return rc
		}
		record(Op{Kind: Write, File: f.path, Offset: offset, Data: cabi.Bytes(data, n)})
	}
	if failure != "" {
		return code("write", failure)
	}
	return sqlite3.SQLITE_OK
}

func syncFile(tls *libc.TLS, address uintptr, flags int32) int32 {
	if failure := vfs.faults.next("sync"); failure != "" {
		return code("sync", failure)
	}
	f := fileAt(address)
	vfs.mu.Lock()
	vfs.syncs++
	n := vfs.syncs
	vfs.mu.Unlock()
	record(Op{Kind: Syncing, File: f.path, Sync: n})
	folder := cabi.At[sqlite3.TunixFile](address).FctrlFlags&sqlite3.UNIXFILE_DIRSYNC != 0
	rc := cabi.Go[func(*libc.TLS, uintptr, int32) int32](f.own.FxSync)(tls, address, flags)
	if rc == sqlite3.SQLITE_OK {
		record(Op{Kind: Synced, File: f.path, Sync: n})
		if folder {
			record(Op{Kind: SyncedFolder, File: f.path, Sync: n})
		}
	}
	return rc
}

func truncateFile(tls *libc.TLS, address uintptr, size int64) int32 {
	if failure := vfs.faults.next("truncate"); failure != "" {
		return code("truncate", failure)
	}
	f := fileAt(address)
	rc := cabi.Go[func(*libc.TLS, uintptr, int64) int32](f.own.FxTruncate)(tls, address, size)
	if rc == sqlite3.SQLITE_OK {
		record(Op{Kind: Truncate, File: f.path, Offset: size})
	}
	return rc
}

func closeFile(tls *libc.TLS, address uintptr) int32 {
	f := fileAt(address)
	vfs.mu.Lock()
	delete(vfs.files, address)
	vfs.mu.Unlock()
	return cabi.Go[func(*libc.TLS, uintptr) int32](f.own.FxClose)(tls, address)
}
