package libsql_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/libsql"
	"github.com/bitville/listener/shared/store/libsql/libsqltest"
	"github.com/bitville/listener/shared/store/storetest"
)

func count(t testing.TB, s *libsqltest.Server) string {
	t.Helper()
	return s.Query(t, "SELECT count(*) FROM profiling_data")[0][0]
}

// The schema is made by whoever comes first, and by several at once.
func TestSchemaIsMadeWhenMissed(t *testing.T) {
	server := libsqltest.Start(t)
	var wg sync.WaitGroup
	for n := range 8 {
		db := libsqltest.Open(t, server.URL)
		wg.Go(func() {
			result, err := db.Insert(context.Background(), storetest.Records(n, n+1))
			if err != nil || result.Accepted+result.Duplicates != 1 {
				t.Errorf("insert %d: %+v, %v", n, result, err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, "8", count(t, server))
	require.Equal(t, [][]string{{"profiling_data_project"}, {"profiling_data_source"}, {"sqlite_autoindex_profiling_data_1"}},
		server.Query(t, "SELECT name FROM sqlite_schema WHERE type = 'index' ORDER BY name"))
}

// A server that is gone is told, and its return.
func TestReadyWithoutServer(t *testing.T) {
	db, server := libsqltest.New(t)
	server.Kill()
	var u *store.Unavailable
	require.ErrorAs(t, db.Ready(t.Context()), &u)
	require.Equal(t, "the database cannot be reached: nothing listens at BITVILLE_DB_URL", u.Reason)
	server.Restart(t)
	require.NoError(t, db.Ready(t.Context()))
}

// With too little time left nothing is begun, and the report says so.
func TestPurgeWithoutTime(t *testing.T) {
	db, _ := libsqltest.New(t)
	short, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := db.Insert(t.Context(), storetest.Records(0, 10))
	require.NoError(t, err)
	report, err := db.Purge(short, time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, store.PurgeReport{Unfinished: true}, report)
}

func TestNewOpensNoConnection(t *testing.T) {
	db, err := libsql.New(libsql.Config{URL: "http://127.0.0.1:1", AuthToken: "token", Now: time.Now})
	require.NoError(t, err)
	require.NoError(t, db.Close())
}
