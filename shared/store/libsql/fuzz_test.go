package libsql_test

import (
	"testing"

	"github.com/bitville/listener/shared/store/libsql/libsqltest"
	"github.com/bitville/listener/shared/store/storetest"
)

// FuzzStored: see storetest.Fuzz. What travels to the server as JSON within JSON comes back as it was.
func FuzzStored(f *testing.F) {
	db, _ := libsqltest.New(f)
	storetest.Fuzz(f, db)
}
