// Package libsql keeps records in a libSQL server: Turso, a self-hosted sqld, or tursodb's sync server.
//
// Every write is one statement. The server runs it whole or not at all. It may also run twice, so that sending it again after a
// cut connection is safe. The package opens nothing before it is needed and keeps nothing open after a call, so that it works
// where the process is frozen between requests. The driver is deprecated upstream; no other package imports it.
package libsql

import (
	"context"
	"database/sql"
	"database/sql/driver"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/tursodatabase/libsql-client-go/libsql"

	"github.com/bitville/listener/shared/auth"
)

// schema makes the table and its indexes.
//
//go:embed schema.sql
var schema string

const (
	callTimeout = 8 * time.Second // of one call with all its tries: callers learn of a silent server within 10 s
	tryTimeout  = 4 * time.Second // of one try: after a try without an answer there is time for another
	maxTries    = 3
	firstPause  = 50 * time.Millisecond // before the second try; doubled before the third
)

// Config says which server to use.
type Config struct {
	URL       string      // libsql://, https:// or http://
	AuthToken auth.Secret // may be empty, for a server that asks for none
	Now       func() time.Time
}

// DB is a remote database. Its methods may be called from any goroutine.
type DB struct {
	pool   *sql.DB
	token  auth.Secret // kept to remove it from error texts
	now    func() time.Time
	warmUp sync.WaitGroup
}

// New returns the database at a URL. Package config has checked the URL's form. New opens no connection.
func New(cfg Config) (*DB, error) {
	var options []libsql.Option
	if cfg.AuthToken != "" {
		options = append(options, libsql.WithAuthToken(string(cfg.AuthToken)))
	}
	connector, err := libsql.NewConnector(cfg.URL, options...)
	if err != nil {
		return nil, errors.New("the libSQL driver refuses the database's URL") // its own words hold it
	}
	pool := sql.OpenDB(connector)
	pool.SetMaxIdleConns(0) // a connection is a stream on the server, which forgets it in seconds
	db := &DB{pool: pool, token: cfg.AuthToken, now: cfg.Now}
	db.warmUp.Go(func() { parse(connector) })
	return db, nil
}

// parse makes the driver parse a statement, without a connection. The driver's parser builds tables once, which takes
// milliseconds. This happens while the process starts, and not during the first request.
func parse(c driver.Connector) {
	conn, err := c.Connect(context.Background())
	if err != nil {
		return // the first use of the database meets the same error and returns it
	}
	defer conn.Close()
	if statement, err := conn.Prepare(insertBatch); err == nil {
		_ = statement.Close()
	}
}

// Close releases what the database holds.
func (db *DB) Close() error {
	db.warmUp.Wait()
	return db.pool.Close()
}

// Admit returns nil: this store has no queue.
func (db *DB) Admit() error { return nil }

// Ready tells whether a record could be stored now. It runs the statement that stores records, with none. The error is a
// *store.Unavailable that says why not.
func (db *DB) Ready(ctx context.Context) error {
	_, err := db.write(ctx, insertBatch, "[]", db.now().UnixMicro())
	return err
}

// write runs one statement that returns a row for each row that it wrote, and counts these rows. It does not ask for affected
// rows, because some servers always answer 0. The statement must be safe to run twice.
func (db *DB) write(ctx context.Context, statement string, args ...any) (rows int, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	pause := firstPause
	for try := 1; ; try++ {
		rows, err = db.try(ctx, statement, args...)
		if err != nil && missingTable(err) {
			if err = db.ensureSchema(ctx); err == nil {
				rows, err = db.try(ctx, statement, args...)
			}
		}
		if err == nil {
			return rows, nil
		}
		unavailable, again := db.explain(ctx, err)
		if !again || try == maxTries {
			return 0, unavailable
		}
		select {
		case <-ctx.Done():
			return 0, unavailable
		case <-time.After(pause):
			pause *= 2
		}
	}
}

// try runs a statement once and counts the rows that it returns.
func (db *DB) try(ctx context.Context, statement string, args ...any) (count int, err error) {
	err = db.query(ctx, func(*sql.Rows) error { count++; return nil }, statement, args...)
	return count, err
}

// query runs a statement once and calls scan for each row. Its error is the driver's. The driver has no timeout of its own and
// panics on answers that it does not expect; query handles both.
func (db *DB) query(ctx context.Context, scan func(*sql.Rows) error, statement string, args ...any) (err error) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("driver panic: %v", p)
		}
	}()
	rows, err := db.pool.QueryContext(ctx, statement, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// ensureSchema makes what is missing of the schema, one statement at a time.
func (db *DB) ensureSchema(ctx context.Context) error {
	for statement := range strings.SplitSeq(schema, ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		// Another function may be making it at the same moment.
		if _, err := db.try(ctx, statement); err != nil && !strings.Contains(err.Error(), "already exists") {
			return err
		}
	}
	return nil
}
