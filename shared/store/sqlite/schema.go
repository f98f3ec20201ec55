package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"strings"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
)

const (
	applicationID = 0x42495456 // marks a database file as ours (PRAGMA application_id): "BITV"
	schemaVersion = 4          // PRAGMA user_version of a file that has all of schema.sql and indexes.sql
	oldestVersion = 3          // that is brought up to date
)

// migrate brings the schema up to date in one transaction, and makes indexes that are missing. The version is read inside
// it: two processes may start on a new file at once. What takes long it tells to the log.
func migrate(ctx context.Context, conn *sql.Conn, log *slog.Logger) (changed bool, err error) {
	exec := func(script string) error {
		_, err := conn.ExecContext(ctx, script)
		return explain(err)
	}
	if err := whileLocked(func() error { return exec("BEGIN IMMEDIATE") }); err != nil {
		return false, err
	}
	defer func() {
		if err != nil {
			_ = exec("ROLLBACK")
		}
	}()
	version, err := pragmaInt(ctx, conn, "user_version")
	if err != nil {
		return false, explain(err)
	}
	start := time.Now()
	switch version {
	case 0:
		err = exec(schema)
	case oldestVersion:
		log.Info("bringing the database up to date; the listener answers when it is done, which takes a minute for some million records",
			"from_schema", version, "to_schema", schemaVersion)
		err = exec(upgrade)
	}
	if err == nil {
		err = exec(rollupTables)
	}
	if err == nil {
		err = exec(refusalTable)
	}
	if err != nil {
		return false, fmt.Errorf("bring the schema to version %d: %w", schemaVersion, err)
	}
	made, err := makeIndexes(ctx, conn, func(name string) {
		if version == schemaVersion {
			log.Warn("an index of the database is missing; making it again", "index", name)
		}
	})
	if err != nil {
		return false, err
	}
	if version < schemaVersion || made {
		if err := exec(stamp()); err != nil {
			return false, fmt.Errorf("bring the schema to version %d: %w", schemaVersion, err)
		}
	}
	if err := exec("COMMIT"); err != nil {
		return false, err
	}
	if made && version != 0 {
		log.Info("the database is up to date", "duration_ms", time.Since(start).Milliseconds())
	}
	return made, nil
}

// stamp are the statements that mark a database which has all tables and indexes as one of today's version.
func stamp() string {
	return fmt.Sprintf("%s; PRAGMA application_id = %d; PRAGMA user_version = %d", statistics, applicationID, schemaVersion)
}

// makeIndexes makes the indexes that are missing, and tells the name of each first.
func makeIndexes(ctx context.Context, conn *sql.Conn, tell func(name string)) (made bool, err error) {
	for statement := range strings.SplitSeq(indexes, ";\n") {
		_, rest, ok := strings.Cut(statement, "IF NOT EXISTS ")
		if !ok {
			continue
		}
		name, _, _ := strings.Cut(rest, " ")
		var there bool
		err := conn.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'index' AND name = ?)", name).Scan(&there)
		if err != nil {
			return made, explain(err)
		}
		if there {
			continue
		}
		tell(name)
		_, err = conn.ExecContext(ctx, statement)
		if extendedCode(err) == sqlite3.SQLITE_CONSTRAINT_UNIQUE { // while it was missing a record could be stored twice
			if _, err = conn.ExecContext(ctx, deleteDuplicates); err == nil {
				_, err = conn.ExecContext(ctx, statement)
			}
		}
		if err != nil {
			return made, fmt.Errorf("make the index %s: %w", name, explain(err))
		}
		made = true
	}
	return made, nil
}
