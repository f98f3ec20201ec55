package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/bitville/listener/shared/config"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/libsql"
	"github.com/bitville/listener/shared/store/sqlite"
)

// openDB opens the database: a file as the rest of its Config says.
func openDB(ctx context.Context, cfg config.Config, file sqlite.Config) (store.Store, error) {
	if cfg.DBURL != "" {
		return openServer(cfg)
	}
	file.Path, file.Synchronous, file.History, file.Now = cfg.DBPath, cfg.DBSynchronous, cfg.History, now
	db, err := sqlite.Open(ctx, file)
	if err != nil {
		return nil, cannotOpen(cfg.DBPath, err)
	}
	return db, nil
}

// cannotOpen tells in one line why a database file cannot be used. A reason is told without the driver's words.
func cannotOpen(path string, err error) error {
	if u, ok := errors.AsType[*store.Unavailable](err); ok {
		err = errors.New(u.Reason)
	}
	return fmt.Errorf("open the database %s (BITVILLE_DB_PATH): %w", path, err)
}

func openServer(cfg config.Config) (*libsql.DB, error) {
	db, err := libsql.New(libsql.Config{URL: cfg.DBURL, AuthToken: cfg.DBAuthToken, Now: now})
	if err != nil {
		return nil, fmt.Errorf("use the database server (BITVILLE_DB_URL): %w", err)
	}
	return db, nil
}
