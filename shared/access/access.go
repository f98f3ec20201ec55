// Package access says in one sentence why the file system refuses this process: which permission is missing on which path, who
// owns the path, which user asks, and the remedy. It changes nothing.
package access

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Permissions as access(2) has them.
const (
	enter = 1
	write = 2
	read  = 4
)

// denied is such a sentence, with the system error behind it.
type denied struct {
	text string
	err  error
}

func (d *denied) Error() string { return d.text }
func (d *denied) Unwrap() error { return d.err }

// Read returns why the process may not read a file; nil when it may.
func Read(path string) error { return ask(path, read, "read the file") }

// Write returns why the process may not read and write a file; nil when it may.
func Write(path string) error { return ask(path, read|write, "read and write the file") }

// MakeIn returns why the process may not make files in a folder; nil when it may.
func MakeIn(folder string) error {
	if info, err := os.Stat(folder); err == nil && !info.IsDir() {
		return &denied{fmt.Sprintf("%s is a file where a folder must be", folder), syscall.ENOTDIR}
	}
	return ask(folder, read|write|enter, "make files in the folder")
}

func ask(path string, mode uint32, what string) error {
	err := syscall.Access(path, mode)
	if err == nil {
		return nil
	}
	if abs, absErr := filepath.Abs(path); absErr == nil {
		path = abs
	}
	say := func(format string, args ...any) error { return &denied{fmt.Sprintf(format, args...), err} }
	switch {
	case errors.Is(err, syscall.EROFS):
		return say("the file system of %s is read-only: mount it for writing; under the systemd unit add ReadWritePaths=%s (systemctl edit bitville-listener)", path, folderOf(path))
	case errors.Is(err, syscall.EPERM):
		return say("%s is immutable: take the attribute off (chattr -i %s)", path, path)
	case errors.Is(err, syscall.ELOOP):
		return say("%s is a symbolic link that leads back to itself: point it to a file", path)
	}
	folder := filepath.Dir(path)
	if mode&enter != 0 {
		folder = path
	}
	// The first folder on the path that refuses the process.
	for at := range ancestors(path) {
		info, statErr := os.Stat(at)
		switch {
		case errors.Is(statErr, fs.ErrNotExist):
			return say("the folder %s is missing: make it for %s (mkdir -p %s)", at, whoAmI(), folder)
		case statErr != nil:
			return say("%s: %v", at, errors.Unwrap(statErr))
		case !info.IsDir():
			return say("%s is a file where a folder must be", at)
		case syscall.Access(at, enter) != nil:
			return say("%s", refused("enter the folder", at, info))
		}
	}
	info, statErr := os.Stat(path)
	switch {
	case errors.Is(statErr, fs.ErrNotExist) && mode&enter != 0:
		return say("the folder %s is missing: make it for %s (mkdir -p %s)", path, whoAmI(), path)
	case errors.Is(statErr, fs.ErrNotExist):
		return say("the file %s is missing", path)
	case statErr != nil:
		return say("%s %s: %v", what, path, err)
	}
	return say("%s", refused(what, path, info))
}

// refused says which user may not do what with a path, and who owns the path.
func refused(what, path string, info fs.FileInfo) string {
	text := fmt.Sprintf("%s may not %s %s (mode %04o", whoAmI(), what, path, info.Mode().Perm())
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		text += ", of " + named(int(stat.Uid))
	}
	text += "): give it to that user, or change its mode"
	for _, hidden := range []string{"/home", "/root", "/run/user"} {
		if path == hidden || strings.HasPrefix(path, hidden+"/") {
			text += "; the systemd unit hides " + hidden + " (ProtectHome=yes)"
		}
	}
	return text
}

func whoAmI() string { return named(os.Geteuid()) }

func named(uid int) string {
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return fmt.Sprintf("the user %s (uid %d)", u.Username, uid)
	}
	return fmt.Sprintf("the user with uid %d", uid)
}

// folderOf returns the path when it is a folder, else the one that it is in.
func folderOf(path string) string {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return path
	}
	return filepath.Dir(path)
}

// ancestors yields the folders above an absolute path, from the root on.
func ancestors(path string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i := range len(path) {
			if path[i] == filepath.Separator && !yield(path[:max(i, 1)]) {
				return
			}
		}
	}
}
