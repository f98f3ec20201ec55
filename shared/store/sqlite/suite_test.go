package sqlite

import (
	"testing"

	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/storetest"
)

// A file keeps what package store says of every store.
func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) (store.Store, func(string) [][]string) {
		db := open(t)
		return db, func(query string) [][]string { return storetest.Text(t, db.pool, query) }
	})
}
