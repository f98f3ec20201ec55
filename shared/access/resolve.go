package access

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// mostLinks is how many symbolic links may follow one another, as for Linux.
const mostLinks = 40

// Resolve returns the absolute path that a path's symbolic links lead to. The file itself need not be there, its folder
// must be.
func Resolve(path string) (string, error) {
	at, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("find the working folder: %w", err)
	}
	for range mostLinks {
		folder, err := filepath.EvalSymlinks(filepath.Dir(at))
		if err != nil {
			if why := MakeIn(filepath.Dir(at)); why != nil {
				return "", why
			}
			return "", fmt.Errorf("follow the symbolic links of %s: %w", path, err)
		}
		at = filepath.Join(folder, filepath.Base(at))
		info, err := os.Lstat(at)
		switch {
		case errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode()&fs.ModeSymlink == 0:
			return at, nil
		case err != nil:
			if why := MakeIn(folder); why != nil {
				return "", why
			}
			return "", fmt.Errorf("look at %s: %w", at, err)
		}
		target, err := os.Readlink(at)
		if err != nil {
			return "", fmt.Errorf("read the symbolic link %s: %w", at, err)
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(folder, target)
		}
		at = target
	}
	return "", &denied{fmt.Sprintf("%s is a symbolic link that leads back to itself: point it to a file", path), syscall.ELOOP}
}
