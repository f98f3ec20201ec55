// Package libsql keeps records in a libSQL server: Turso, a self-hosted sqld, or tursodb's sync server.
//
// Every write is one statement. The server runs it whole or not at all, and it may run twice: after a cut connection, sending it
// again is safe. Nothing is opened before it is needed, and nothing outlives its call, so the package works where the process is
// frozen between requests. The driver is deprecated upstream; no other package imports it.
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
	callTimeout = 8 * time.Second // of one call, its tries together: a silent server is told within 10 s
	tryTimeout  = 4 * time.Second // of one try: one that got no answer leaves time for another, within 5 s of the server's return
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

// New returns the database at a URL, whose form config has checked. It opens no connection.
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

// Ready tells whether a record could be stored now, by the statement that stores one, with none. The error
// is a *store.Unavailable that says why not.
func (db *DB) Ready(ctx context.Context) error {
	_, err := db.write(ctx, insertBatch, "[]", db.now().UnixMicro())
	return err
}

// write runs one statement that returns a row for each row that it wrote, and counts them. Affected rows
// are not asked for: some servers always say 0. The statement must be one that may run twice.
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

// query runs a statement once and calls scan for each row. Its error is the driver's, which has no timeout of
// its own and panics on answers that it does not expect.
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
