// Package walfile writes a SQLite transaction to its WAL in one system call, and holds nothing back: what COMMIT has
// answered is with the kernel.
//
// SQLite writes a transaction frame by frame, and each frame in two system calls: 24 bytes of header, then the page. For a
// group of records that is some thirty calls, a third of the writer's time. The VFS here, which is SQLite's way to put
// something between itself and the file system (https://www.sqlite.org/vfs.html), gathers them and writes them at once when
// the transaction's last frame comes, which is before SQLite tells anybody of the transaction. All else goes to the file
// system as it did.
//
// It leans on how the driver lays out SQLite's structures and its function pointers. Register checks that first, and a
// database works without the VFS as well, only slower.
package walfile

import (
	"encoding/binary"
	"errors"
	"sync"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/bitville/listener/shared/store/sqlite/cabi"
)

const (
	vfsName     = "bitville"
	frameHeader = 24        // bytes: the next page's number, the size of the database if it is a commit, salts and checksums
	maxGathered = 120 << 10 // bytes; SQLite's own write takes less than 128 KiB at one time
)

// walFile is a WAL that is open.
type walFile struct {
	offset   int64 // of gathered in the file
	gathered []byte
	commit   bool // the last header was that of a transaction's last frame
}

// vfs is what Register registers. SQLite calls functions, not methods: it is there once, and lives as long as the process.
var vfs struct {
	register sync.Once
	err      error
	open     uintptr                      // the file system's own
	methods  sqlite3.Tsqlite3_io_methods  // the file system's own for a WAL
	gather   *sqlite3.Tsqlite3_io_methods // ours; SQLite's memory

	mu   sync.RWMutex
	wals map[uintptr]*walFile // by SQLite's address of the file
}

// Register makes the VFS known to SQLite and returns its name. Its error says why this driver's structures are none that
// it knows; nothing is registered then.
func Register() (name string, err error) {
	vfs.register.Do(func() {
		if vfs.err = checkLayout(); vfs.err != nil {
			return
		}
		tls := libc.NewTLS()
		sqlite3.Xsqlite3_initialize(tls)
		own := sqlite3.Xsqlite3_vfs_find(tls, 0)
		cName, err := libc.CString(vfsName)
		if own == 0 || err != nil {
			vfs.err = errors.Join(errors.New("SQLite has no VFS of its own, or no memory for another"), err)
			return
		}
		ours := cabi.New[sqlite3.Tsqlite3_vfs](tls)
		*ours = *cabi.At[sqlite3.Tsqlite3_vfs](own)
		vfs.open, vfs.wals, vfs.gather = ours.FxOpen, make(map[uintptr]*walFile), cabi.New[sqlite3.Tsqlite3_io_methods](tls)
		ours.FzName, ours.FxOpen = cName, cabi.Func(openFile)
		sqlite3.Xsqlite3_vfs_register(tls, uintptr(unsafe.Pointer(ours)), 0)
	})
	return vfsName, vfs.err
}

func openFile(tls *libc.TLS, own, name, file uintptr, flags int32, outFlags uintptr) int32 {
	rc := cabi.Go[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](vfs.open)(tls, own, name, file, flags, outFlags)
	if rc != sqlite3.SQLITE_OK || flags&sqlite3.SQLITE_OPEN_WAL == 0 {
		return rc
	}
	vfs.mu.Lock()
	defer vfs.mu.Unlock()
	f := cabi.At[sqlite3.Tsqlite3_file](file)
	if vfs.methods.FxWrite == 0 {
		vfs.methods = *cabi.At[sqlite3.Tsqlite3_io_methods](f.FpMethods)
		*vfs.gather = vfs.methods
		vfs.gather.FxWrite, vfs.gather.FxRead, vfs.gather.FxClose = cabi.Func(write), cabi.Func(read), cabi.Func(closeFile)
		vfs.gather.FxSync, vfs.gather.FxTruncate, vfs.gather.FxFileSize = cabi.Func(syncFile), cabi.Func(truncate), cabi.Func(fileSize)
	}
	vfs.wals[file] = &walFile{}
	f.FpMethods = uintptr(unsafe.Pointer(vfs.gather))
	return rc
}

func walAt(file uintptr) *walFile {
	vfs.mu.RLock()
	defer vfs.mu.RUnlock()
	return vfs.wals[file]
}

// flush hands what was gathered to the file system.
func (w *walFile) flush(tls *libc.TLS, file uintptr) int32 {
	if len(w.gathered) == 0 {
		return sqlite3.SQLITE_OK
	}
	data := w.gathered
	w.gathered = w.gathered[:0] // when it fails the transaction does
	return cabi.Go[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](vfs.methods.FxWrite)(tls, file,
		uintptr(unsafe.Pointer(&data[0])), int32(len(data)), w.offset)
}

func write(tls *libc.TLS, file, data uintptr, n int32, offset int64) int32 {
	w := walAt(file)
	if offset != w.offset+int64(len(w.gathered)) || len(w.gathered)+int(n) > maxGathered {
		if rc := w.flush(tls, file); rc != sqlite3.SQLITE_OK {
			return rc
		}
	}
	if len(w.gathered) == 0 {
		w.offset = offset
	}
	bytes := cabi.Bytes(data, n)
	w.gathered = append(w.gathered, bytes...)
	if n == frameHeader {
		w.commit = binary.BigEndian.Uint32(bytes[4:]) != 0
	}
	if w.commit {
		return w.flush(tls, file)
	}
	return sqlite3.SQLITE_OK
}

func read(tls *libc.TLS, file, data uintptr, n int32, offset int64) int32 {
	if rc := walAt(file).flush(tls, file); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return cabi.Go[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](vfs.methods.FxRead)(tls, file, data, n, offset)
}

func syncFile(tls *libc.TLS, file uintptr, flags int32) int32 {
	if rc := walAt(file).flush(tls, file); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return cabi.Go[func(*libc.TLS, uintptr, int32) int32](vfs.methods.FxSync)(tls, file, flags)
}

func truncate(tls *libc.TLS, file uintptr, size int64) int32 {
	if rc := walAt(file).flush(tls, file); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return cabi.Go[func(*libc.TLS, uintptr, int64) int32](vfs.methods.FxTruncate)(tls, file, size)
}

func fileSize(tls *libc.TLS, file, size uintptr) int32 {
	if rc := walAt(file).flush(tls, file); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return cabi.Go[func(*libc.TLS, uintptr, uintptr) int32](vfs.methods.FxFileSize)(tls, file, size)
}

func closeFile(tls *libc.TLS, file uintptr) int32 {
	vfs.mu.Lock()
	delete(vfs.wals, file) // what is left was never committed
	vfs.mu.Unlock()
	return cabi.Go[func(*libc.TLS, uintptr) int32](vfs.methods.FxClose)(tls, file)
}
