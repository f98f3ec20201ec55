package sqlite

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/rollup"
	"github.com/bitville/listener/shared/store/storetest"
	"github.com/bitville/listener/shared/view"
)

const anID = "d37cc455-87f5-457f-b02d-86776b296414"

// A look has the payloads that it needs most, as far as there is room: PHP's, then those of the longest statements.
func TestPayloadsOfALookAreBounded(t *testing.T) {
	db := open(t)
	payload := []byte(`{"a":"` + strings.Repeat("x", record.MaxBytes-1000) + `"}`)
	for n := range 8 {
		r := storetest.Record(n)
		r.CorrelationID, r.Source, r.Payload = anID, view.Postgres, payload
		if n == 7 {
			r.Source = view.PHP
		}
		insert(t, db, []record.Record{r})
	}
	entries, err := db.Records(t.Context(), "shop", anID)
	require.NoError(t, err)
	require.Len(t, entries, 8)
	var have []float64
	for _, e := range entries {
		if e.Payload != "" {
			require.Equal(t, string(payload), e.Payload)
			have = append(have, *e.DurationMS)
		}
	}
	require.Equal(t, []float64{7.1, 6.1, 5.1, 4.1}, have, "by time, the latest has the lowest number")
}

// A list of requests has all records of a request or none.
func TestRecordsOfRequestsAreBounded(t *testing.T) {
	db := open(t)
	var ids []string
	for n := range 10 {
		r := storetest.Record(n)
		r.CorrelationID = storetest.Record(n / 2).CorrelationID
		r.Attributes = []byte(`{"a":"` + strings.Repeat("x", 3<<20) + `"}`)
		insert(t, db, []record.Record{r})
		if n%2 == 0 {
			ids = append(ids, r.CorrelationID)
		}
	}
	entries, err := db.RecordsOf(t.Context(), "shop", ids)
	require.NoError(t, err)
	require.Len(t, entries, 4)
	require.Equal(t, ids[1], entries[3].CorrelationID)
	slowest, err := db.Slowest(t.Context(), "shop", time.Now().Add(-time.Hour), time.Now(), "", 500)
	require.NoError(t, err)
	require.Len(t, slowest.Requests, 5)
}

// A flush is in transactions that write some hundred rows, however many keys are new: records that come are stored between.
func TestFlushIsInSmallTransactions(t *testing.T) {
	db := keeping(t, filepath.Join(t.TempDir(), "bitville.db"))
	visits := storetest.Records(0, 3000)
	for i := range visits {
		visits[i].Source, visits[i].Attributes = view.Postgres, []byte(fmt.Sprintf(`{"query_id":%d}`, i+1))
	}
	insert(t, db, visits)
	var written []int // total_changes() after each
	require.NoError(t, db.writer.do(t.Context(), func(conn *sql.Conn) (err error) {
		for r := db.writer.rollups; err == nil; r.step() {
			var n int
			err = conn.QueryRowContext(t.Context(), "SELECT total_changes()").Scan(&n)
			if written = append(written, n); len(written) == 1 {
				r.begin()
			}
			if len(r.round) == 0 {
				break
			}
		}
		return err
	}))
	for i := range written[1:] {
		require.LessOrEqual(t, written[i+1]-written[i], 1600, "an hour, a day and the text for each of 512 keys")
	}
	require.Greater(t, written[len(written)-1]-written[0], 3000)
}

// An exemplar may be purged, and another record have its id: it is in no list.
func TestExemplarThatIsGone(t *testing.T) {
	db := keeping(t, filepath.Join(t.TempDir(), "bitville.db"))
	records := storetest.Records(0, 20)
	_, err := db.Insert(t.Context(), records)
	require.NoError(t, err)
	_, err = db.writer.conn.ExecContext(t.Context(), "UPDATE profiling_data SET duration_ms = 1 WHERE id = 19; DELETE FROM profiling_data WHERE id = 17")
	require.NoError(t, err)
	list, err := db.Slowest(t.Context(), "shop", time.Now().Add(-24*time.Hour), time.Now(), "", 3)
	require.NoError(t, err)
	var names []string
	for _, e := range list.Requests {
		names = append(names, e.Name)
	}
	require.Equal(t, []string{"/page/14", "/page/12", "/page/10"}, names)
}

// Another process derives what is not written for its reads, unless it is too much: then it says so.
func TestReadBehind(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bitville.db")
	db := openAt(t, path) // keeps no rollups
	reader, err := OpenReader(t.Context(), path)
	require.NoError(t, err)
	defer reader.Close()
	shop := rollup.Series{Project: "shop", Source: view.PHP}
	count := func() (n, behind int64) {
		groups, err := reader.Groups(t.Context(), shop, time.Now().Add(-24*time.Hour), time.Now())
		require.NoError(t, err)
		for _, g := range groups.Groups {
			n += g.Cell.Count
		}
		hours, err := reader.Hours(t.Context(), shop, "none", time.Now().Add(-24*time.Hour), time.Now())
		require.NoError(t, err)
		require.Equal(t, groups.Behind, hours.Behind)
		return n, groups.Behind
	}
	for n := 0; n < maxTail; n += 5000 {
		insert(t, db, storetest.Records(n, n+5000))
	}
	n, behind := count()
	require.Zero(t, behind)
	require.EqualValues(t, maxTail/2, n)
	_, err = db.Insert(t.Context(), storetest.Records(maxTail, maxTail+1))
	require.NoError(t, err)
	n, behind = count()
	require.EqualValues(t, maxTail+1, behind, "how far it is from the records")
	require.Zero(t, n)
	slowest, err := reader.Slowest(t.Context(), "shop", time.Now().Add(-24*time.Hour), time.Now(), "", 1)
	require.NoError(t, err)
	require.Equal(t, behind, slowest.Behind)
}

// Files of listeners that kept no rollups, whose schema has another version or the same, have them once today's has them open.
func TestReadOfAnOlderFile(t *testing.T) {
	for file, when := range map[string]time.Time{"version3.sql": time.UnixMicro(1763843023000000), "version4.sql": time.UnixMicro(1795381100000000)} {
		t.Run(file, func(t *testing.T) {
			older, err := os.ReadFile("testdata/" + file)
			require.NoError(t, err)
			path := filepath.Join(t.TempDir(), "bitville.db")
			exec(t, path, string(older))
			reader, err := OpenReader(t.Context(), path)
			require.NoError(t, err)
			defer reader.Close()
			shop := rollup.Series{Project: "shop", Source: view.PHP}
			_, err = reader.Groups(t.Context(), shop, time.Now().Add(-24*time.Hour), time.Now())
			require.EqualError(t, err, "the database has no figures yet: start the listener of this version on it once")

			db := keeping(t, path)
			caughtUp(t, db)
			groups, err := db.Groups(t.Context(), shop, when, when.Add(2*time.Hour))
			require.NoError(t, err)
			require.NotEmpty(t, groups.Groups)
			fresh := open(t)
			require.Equal(t, storetest.Text(t, fresh.pool, schemaOf), storetest.Text(t, db.pool, schemaOf))
			require.NoError(t, db.Close())
			requireDerived(t, path)
		})
	}
}

// A listener of before that has the file in between stores records and counts none: what it left is derived.
func TestRollupsAfterAnOlderListener(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bitville.db")
	db := keeping(t, path)
	insert(t, db, storetest.Records(0, 100))
	require.NoError(t, db.Close())
	older := openAt(t, path) // keeps no rollups
	insert(t, older, storetest.Records(100, 150))
	require.NoError(t, older.Close())
	requireDerived(t, path)
}
