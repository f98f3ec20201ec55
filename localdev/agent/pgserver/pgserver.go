// Package pgserver is what the agent asks a PostgreSQL server over a connection: its log, where no file can be read, what
// pg_stat_statements counted, and whether the server is set up for the agent.
package pgserver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Name is the application_name of the agent's connections. What they run is no news.
const Name = "bitville-agent"

// timeout is how long one question may take.
const timeout = 10 * time.Second

// DB is a connection that is made when it is needed, and again when it broke. Its methods may be called from any
// goroutine; they wait for each other.
//
// pgconn is the lower half of pgx: all values come as PostgreSQL's own text, which goes into records as it is.
type DB struct {
	cfg *pgconn.Config

	mu   sync.Mutex
	conn *pgconn.PgConn
}

// New returns a DB for a connection string as libpq takes it. Variables that begin with PG fill in what it lacks. The
// error holds no password.
func New(dsn string) (*DB, error) {
	cfg, err := pgconn.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("the connection string (BITVILLE_POSTGRES_DSN) is not right: %w", err)
	}
	cfg.RuntimeParams["application_name"] = Name
	cfg.ConnectTimeout = timeout
	return &DB{cfg: cfg}, nil
}

// User is the role of the connection.
func (db *DB) User() string { return db.cfg.User }

// result has rows as text; NULL is nil.
type result struct {
	names []string
	types []uint32 // OIDs
	rows  [][][]byte
}

// text is one value, "" for NULL.
func (r result) text(row, column int) string { return string(r.rows[row][column]) }

// query runs one statement with parameters.
func (db *DB) query(ctx context.Context, sql string, args ...string) (r result, err error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if db.conn == nil || db.conn.IsClosed() {
		if db.conn, err = pgconn.ConnectConfig(ctx, db.cfg); err != nil {
			return r, fmt.Errorf("connect to PostgreSQL (BITVILLE_POSTGRES_DSN): %w", oneLine(err))
		}
	}
	values := make([][]byte, len(args))
	for i, arg := range args {
		values[i] = []byte(arg)
	}
	read := db.conn.ExecParams(ctx, sql, values, nil, nil, nil).Read()
	if read.Err != nil {
		return r, read.Err
	}
	for _, f := range read.FieldDescriptions {
		r.names, r.types = append(r.names, f.Name), append(r.types, f.DataTypeOID)
	}
	r.rows = read.Rows
	return r, nil
}

// oneLine makes the error one line: pgconn tells each address that it tried in a line of its own.
func oneLine(err error) error {
	return errors.New(strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\t' }), " "))
}

// stateOf is the SQLSTATE of an error, "" for one that is not the server's.
func stateOf(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

const (
	notAllowed = "42501" // insufficient_privilege
	badText    = "22021" // character_not_in_repertoire
)

// Close ends the connection.
func (db *DB) Close() {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = db.conn.Close(ctx)
	}
}
