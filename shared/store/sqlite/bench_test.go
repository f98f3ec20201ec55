package sqlite

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store/storetest"
)

// fresh is a record of 2 KB under a random id, as agents send.
func fresh(n int) record.Record {
	var id [16]byte
	_, _ = rand.Read(id[:])
	r := storetest.Record(n)
	r.CorrelationID = fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
	r.Timestamp = time.Now().Truncate(time.Second).UnixMicro()
	r.Digest = int64(binary.LittleEndian.Uint64(id[:]))
	r.Payload = []byte(`{"a":"` + strings.Repeat("x", 1900) + `"}`)
	return r
}

// BenchmarkInsert is the time of one record, by how many one request brings.
func BenchmarkInsert(b *testing.B) {
	for _, size := range []int{1, 10, 100, 1000} {
		b.Run(fmt.Sprint("batch-", size), func(b *testing.B) {
			db := open(b)
			batch := make([]record.Record, size)
			n := 0
			for b.Loop() {
				b.StopTimer()
				for i := range batch {
					batch[i] = fresh(n)
					n++
				}
				b.StartTimer()
				_, err := db.Insert(context.Background(), batch)
				require.NoError(b, err)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/record")
		})
	}
}

// BenchmarkRead is what a reader waits for, on 100,000 records.
func BenchmarkRead(b *testing.B) {
	const rows = 100_000
	db := open(b)
	var ids []string
	for n := 0; n < rows; n += 1000 {
		batch := make([]record.Record, 1000)
		for i := range batch {
			batch[i] = fresh(n + i)
		}
		ids = append(ids, batch[0].CorrelationID)
		_, err := db.Insert(context.Background(), batch)
		require.NoError(b, err)
	}
	b.Run("by-correlation-id", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			entries, err := db.ByCorrelationID(context.Background(), ids[i%len(ids)])
			require.NoError(b, err)
			require.Len(b, entries, 1)
		}
	})
	b.Run("slowest-100-of-a-day", func(b *testing.B) {
		for b.Loop() {
			var n int
			err := db.Reader.pool.QueryRowContext(context.Background(), `SELECT count(*) FROM (SELECT id FROM profiling_data
				WHERE project = 'shop' AND timestamp > ? ORDER BY duration_ms DESC LIMIT 100)`, time.Now().Add(-24*time.Hour).UnixMicro()).Scan(&n)
			require.NoError(b, err)
			require.Equal(b, 100, n)
		}
	})
}

// BenchmarkPurge is the time of one deleted row of 2 KB, its pages given back.
func BenchmarkPurge(b *testing.B) {
	const rows = 20_000
	db := open(b)
	for b.Loop() {
		b.StopTimer()
		fill(b, db, rows, time.Now(), `{"a":"`+strings.Repeat("x", 1900)+`"}`)
		b.StartTimer()
		report, err := db.Purge(context.Background(), time.Now().Add(time.Hour))
		require.NoError(b, err)
		require.Equal(b, rows, report.Rows)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
}
