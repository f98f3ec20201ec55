package pgserver

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"github.com/bitville/listener/localdev/agent/pglog"
	"github.com/bitville/listener/localdev/agent/tail"
)

// Log are the files of the server's log, read over the connection. They are tail.Files.
type Log struct {
	DB     *DB
	suffix string // of the files' names, such as .json
}

// OpenLog finds the log over a connection. format is one of pglog's, or auto.
func OpenLog(db *DB, format string) tail.Opener {
	return func(ctx context.Context) (tail.Files, string, error) {
		files, err := Log{DB: db}.List(ctx, nil)
		found, ok := tail.Choose(format, files)
		if err != nil || !ok {
			return nil, "", err
		}
		return Log{db, pglog.Suffix(found)}, found, nil
	}
}

// List is of tail.Files. A file has its name for its id.
func (l Log) List(ctx context.Context, _ map[string]bool) (files []tail.File, err error) {
	r, err := l.DB.query(ctx, `SELECT current_setting('log_directory') || '/' || name, size, floor(extract(epoch FROM modification))::bigint
		FROM pg_ls_logdir() WHERE right(name, length($1)) = $1`, l.suffix)
	if stateOf(err) == notAllowed {
		return nil, fmt.Errorf("list the server's log files: %w; run: GRANT pg_monitor TO %s;", err, l.DB.User())
	}
	if err != nil {
		return nil, fmt.Errorf("list the server's log files: %w", err)
	}
	for i := range r.rows {
		f := tail.File{Name: r.text(i, 0), ID: r.text(i, 0)}
		f.Size, _ = strconv.ParseInt(r.text(i, 1), 10, 64)
		at, _ := strconv.ParseInt(r.text(i, 2), 10, 64)
		f.Modified = time.Unix(at, 0)
		files = append(files, f)
	}
	return files, nil
}

// ReadAt is of tail.Files. pg_read_file checks the encoding, so a piece that ends inside of a character is refused: it is
// asked for with some bytes less.
func (l Log) ReadAt(ctx context.Context, f tail.File, p []byte, offset int64) (n int, err error) {
	for length := min(int64(len(p)), f.Size-offset); length > 0; length-- {
		var r result
		r, err = l.DB.query(ctx, `SELECT pg_read_file($1, $2, $3)`, f.Name, strconv.FormatInt(offset, 10), strconv.FormatInt(length, 10))
		if err == nil {
			return copy(p, r.rows[0][0]), nil
		}
		if stateOf(err) != badText || int64(len(p))-length > 3 {
			break
		}
	}
	function := "pg_read_file"
	if stateOf(err) == badText { // not only at its end: the log has bytes of another encoding
		function = "pg_read_binary_file"
		var r result
		r, err = l.DB.query(ctx, `SELECT encode(pg_read_binary_file($1, $2, $3), 'hex')`, f.Name, strconv.FormatInt(offset, 10), strconv.Itoa(len(p)))
		if err == nil {
			return hex.Decode(p, r.rows[0][0])
		}
	}
	if stateOf(err) == notAllowed {
		err = fmt.Errorf("%w; run: GRANT EXECUTE ON FUNCTION %s(text, bigint, bigint) TO %s;", err, function, l.DB.User())
	}
	return 0, err
}

// Close closes the connection.
func (l Log) Close() { l.DB.Close() }
