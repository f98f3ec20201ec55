package sqlite

import (
	"os"
	"syscall"
)

// tryLock takes a lock on the file, which the process has until it closes it or ends. Here it has nothing to do with
// those that SQLite takes; elsewhere it would keep SQLite out.
func tryLock(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

// isLockedByAnother tells whether another process has it.
func isLockedByAnother(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == syscall.EWOULDBLOCK
}
