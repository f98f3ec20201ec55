package rollup

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/bitville/listener/shared/record"
)

func BenchmarkDerive(b *testing.B) {
	ms := 17.880916595458984
	statement := "SELECT p.id, p.name, p.price FROM products p WHERE p.category_id = 42 AND p.name LIKE 'Item 1%' LIMIT"
	for _, c := range []struct{ name, source, text, attributes string }{
		{"path", php, "/product/42?ref=newsletter", `{"method":"GET","status":200,"queries":10,"db_ms":8.55438,"memory_peak":1054552,"php":"8.2.36","profiler":"xhprof"}`},
		{"route", php, "/product/42", `{"method":"GET","status":200,"route":"shop.product","queries":10,"db_ms":8.55438,"php":"8.2.36","profiler":"xhprof"}`},
		{"query id", postgres, statement, `{"database":"shop","query_id":-2463794120163933561,"session_id":"6b035771.3d29","log_line":1}`},
		{"text", postgres, statement, `{"database":"shop","session_id":"6b035771.3d29","log_line":1,"nested":true}`},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := record.Record{Project: "shop", Source: c.source, Timestamp: 1795381105959753, DurationMS: &ms, Name: c.text, Attributes: []byte(c.attributes)}
			b.ReportAllocs()
			for b.Loop() {
				Derive(&r)
			}
		})
	}
}

// points are like an hour of a busy site: 300 keys, some of them much more often than others.
func points(n int) []Point {
	rng := rand.New(rand.NewPCG(1, 1))
	zipf := rand.NewZipf(rng, 1.2, 5, 299)
	made := make([]Point, n)
	for i := range made {
		made[i] = Point{Series{"shop", php}, fmt.Sprintf("%016x", zipf.Uint64()), "/a/route/*", 1795381105 + int64(i/1000), int64(rng.ExpFloat64() * 20_000)}
	}
	return made
}

func BenchmarkDeltasAdd(b *testing.B) {
	all := points(1 << 16)
	var d Deltas
	d.Start(0)
	b.ReportAllocs()
	id := int64(0)
	for b.Loop() {
		d.Add(&all[id&(1<<16-1)], id)
		id++
	}
}

// busy returns cells of 10,000 records each.
func busy(n int) []Cell {
	cells := make([]Cell, n)
	for i, p := range points(n * 10_000) {
		cells[i%n].Add(int64(i), p.Micros)
	}
	return cells
}

func BenchmarkCellMerge(b *testing.B) {
	cells := busy(2)
	b.ReportAllocs()
	for b.Loop() {
		cells[0].Merge(&cells[1])
	}
}

func BenchmarkCellEncode(b *testing.B) {
	c := busy(1)[0]
	buffer := c.Append(nil)
	b.ReportMetric(float64(len(buffer)), "bytes")
	b.ReportAllocs()
	for b.Loop() {
		buffer = c.Append(buffer[:0])
	}
}

func BenchmarkCellDecode(b *testing.B) {
	c := busy(1)[0]
	encoded := c.Append(nil)
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Decode(encoded); err != nil {
			b.Fatal(err)
		}
	}
}
