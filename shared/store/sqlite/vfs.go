package sqlite

import (
	"encoding/binary"
	"sync"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/bitville/listener/shared/store/sqlite/cabi"
)

// SQLite writes a transaction to its log frame by frame, and each frame in two system calls: 24 bytes of header, then
// the page. For a group of records that is some thirty calls, a third of the writer's time. The VFS here, which is
// SQLite's way to put something between itself and the file system (https://www.sqlite.org/vfs.html), gathers
// them and writes them at once when the transaction's last frame comes, which is before SQLite tells anybody of the
// transaction. All else goes to the file system as it did.
//
// Nothing is held beyond a commit: what COMMIT has answered is with the kernel, and a killed process has kept it.
const (
	vfsName     = "bitville"
	frameHeader = 24        // bytes; of the next page's number, the size of the database if it is a commit, salts and checksums
	maxGathered = 120 << 10 // bytes; SQLite's own write takes less than 128 KiB at one time
)

// logFile is a write-ahead log that is open.
type logFile struct {
	offset   int64 // of gathered in the file
	gathered []byte
	commit   bool // the last header was that of a transaction's last frame
}

// gatherer is the VFS. It is registered once and lives as long as the process.
var gatherer struct {
	register sync.Once
	open     uintptr                      // the file system's own
	methods  sqlite3.Tsqlite3_io_methods  // the file system's own for a log
	gather   *sqlite3.Tsqlite3_io_methods // ours; SQLite's memory

	mu   sync.RWMutex
	logs map[uintptr]*logFile // by SQLite's address of the file
}

// registerVFS makes the VFS known to SQLite by vfsName.
func registerVFS() {
	gatherer.register.Do(func() {
		tls := libc.NewTLS()
		sqlite3.Xsqlite3_initialize(tls)
		vfs := cabi.New[sqlite3.Tsqlite3_vfs](tls)
		*vfs = *cabi.At[sqlite3.Tsqlite3_vfs](sqlite3.Xsqlite3_vfs_find(tls, 0))
		name, err := libc.CString(vfsName)
		if err != nil {
			panic("no memory for a name: " + err.Error())
		}
		gatherer.open, gatherer.logs, gatherer.gather = vfs.FxOpen, make(map[uintptr]*logFile), cabi.New[sqlite3.Tsqlite3_io_methods](tls)
		vfs.FzName, vfs.FxOpen = name, cabi.Func(openFile)
		sqlite3.Xsqlite3_vfs_register(tls, uintptr(unsafe.Pointer(vfs)), 0)
	})
}

func openFile(tls *libc.TLS, vfs, name, file uintptr, flags int32, outFlags uintptr) int32 {
	rc := cabi.Go[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](gatherer.open)(tls, vfs, name, file, flags, outFlags)
	if rc != sqlite3.SQLITE_OK || flags&sqlite3.SQLITE_OPEN_WAL == 0 {
		return rc
	}
	gatherer.mu.Lock()
	defer gatherer.mu.Unlock()
	f := cabi.At[sqlite3.Tsqlite3_file](file)
	if gatherer.methods.FxWrite == 0 {
		gatherer.methods = *cabi.At[sqlite3.Tsqlite3_io_methods](f.FpMethods)
		*gatherer.gather = gatherer.methods
		gatherer.gather.FxWrite, gatherer.gather.FxRead, gatherer.gather.FxClose = cabi.Func(writeLog), cabi.Func(readLog), cabi.Func(closeLog)
		gatherer.gather.FxSync, gatherer.gather.FxTruncate, gatherer.gather.FxFileSize = cabi.Func(syncLog), cabi.Func(truncateLog), cabi.Func(sizeOfLog)
	}
	gatherer.logs[file] = &logFile{}
	f.FpMethods = uintptr(unsafe.Pointer(gatherer.gather))
	return rc
}

func logAt(file uintptr) *logFile {
	gatherer.mu.RLock()
	defer gatherer.mu.RUnlock()
	return gatherer.logs[file]
}

// write hands what was gathered to the file system.
func (l *logFile) write(tls *libc.TLS, file uintptr) int32 {
	if len(l.gathered) == 0 {
		return sqlite3.SQLITE_OK
	}
	data := l.gathered
	l.gathered = l.gathered[:0] // when it fails the transaction does
	return cabi.Go[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](gatherer.methods.FxWrite)(tls, file,
		uintptr(unsafe.Pointer(&data[0])), int32(len(data)), l.offset)
}

func writeLog(tls *libc.TLS, file, data uintptr, n int32, offset int64) int32 {
	l := logAt(file)
	if offset != l.offset+int64(len(l.gathered)) || len(l.gathered)+int(n) > maxGathered {
		if rc := l.write(tls, file); rc != sqlite3.SQLITE_OK {
			return rc
		}
	}
	if len(l.gathered) == 0 {
		l.offset = offset
	}
	bytes := cabi.Bytes(data, n)
	l.gathered = append(l.gathered, bytes...)
	if n == frameHeader {
		l.commit = binary.BigEndian.Uint32(bytes[4:]) != 0
	}
	if l.commit {
		return l.write(tls, file)
	}
	return sqlite3.SQLITE_OK
}

func readLog(tls *libc.TLS, file, data uintptr, n int32, offset int64) int32 {
	if rc := logAt(file).write(tls, file); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return cabi.Go[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](gatherer.methods.FxRead)(tls, file, data, n, offset)
}

func syncLog(tls *libc.TLS, file uintptr, flags int32) int32 {
	if rc := logAt(file).write(tls, file); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return cabi.Go[func(*libc.TLS, uintptr, int32) int32](gatherer.methods.FxSync)(tls, file, flags)
}

func truncateLog(tls *libc.TLS, file uintptr, size int64) int32 {
	if rc := logAt(file).write(tls, file); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return cabi.Go[func(*libc.TLS, uintptr, int64) int32](gatherer.methods.FxTruncate)(tls, file, size)
}

func sizeOfLog(tls *libc.TLS, file, size uintptr) int32 {
	if rc := logAt(file).write(tls, file); rc != sqlite3.SQLITE_OK {
		return rc
	}
	return cabi.Go[func(*libc.TLS, uintptr, uintptr) int32](gatherer.methods.FxFileSize)(tls, file, size)
}

func closeLog(tls *libc.TLS, file uintptr) int32 {
	gatherer.mu.Lock()
	delete(gatherer.logs, file) // what is left was never committed
	gatherer.mu.Unlock()
	return cabi.Go[func(*libc.TLS, uintptr) int32](gatherer.methods.FxClose)(tls, file)
}
