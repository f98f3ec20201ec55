package libsql_test

import (
	"testing"

	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/libsql/libsqltest"
	"github.com/bitville/listener/shared/store/storetest"
)

// A server keeps what package store says of every store.
func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) (store.Store, func(string) [][]string) {
		db, server := libsqltest.New(t)
		return db, func(query string) [][]string { return server.Query(t, query) }
	})
}
