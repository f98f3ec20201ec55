package tail

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bitville/listener/localdev/agent/pglog"
)

// Opener finds the log: its files, and the name of its format. No files mean that nothing is there yet.
type Opener func(ctx context.Context) (files Files, format string, err error)

// OpenLocal finds the log on this machine: in a folder, or as files of a glob. format is one of pglog's, or auto: of
// jsonlog, csvlog, stderr the first that is there. Only one is read, since each counts its lines by itself.
func OpenLocal(where, format string) Opener {
	return func(ctx context.Context) (Files, string, error) {
		info, err := os.Stat(where)
		isFolder := err == nil && info.IsDir()
		pattern := where
		if isFolder {
			pattern = filepath.Join(where, "*")
		}
		local := NewLocal(pattern)
		files, err := local.List(ctx, nil)
		local.Close()
		if err != nil || len(files) == 0 {
			return nil, "", err
		}
		if found, ok := Choose(format, files); ok {
			local.suffix = pglog.Suffix(found)
			return local, found, nil
		}
		switch {
		case isFolder:
			return nil, "", nil
		case format == "auto": // names of no format
			format, err = guess(files[0].Name)
		}
		return local, format, err
	}
}

// Choose returns the format that is there of those that are wanted.
func Choose(format string, files []File) (found string, ok bool) {
	for _, f := range []string{"jsonlog", "csvlog", "stderr"} {
		has := slices.ContainsFunc(files, func(file File) bool { return strings.HasSuffix(file.Name, pglog.Suffix(f)) })
		if has && (format == f || format == "auto") {
			return f, true
		}
	}
	return "", false
}

func guess(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	beginning, err := io.ReadAll(io.LimitReader(file, 64<<10))
	return pglog.Guess(beginning), err
}

// CanRead tells why the log on this machine cannot be read by this process.
func CanRead(ctx context.Context, where, format string) (problems []error) {
	files, _, err := OpenLocal(where, format)(ctx)
	switch {
	case err != nil:
		return []error{err}
	case files == nil:
		return []error{fmt.Errorf("there is no log of the format %s in %s (BITVILLE_POSTGRES_LOG)", format, where)}
	}
	defer files.Close()
	_, err = files.List(ctx, nil) // it opens each
	if err != nil {
		problems = append(problems, err)
	}
	return problems
}
