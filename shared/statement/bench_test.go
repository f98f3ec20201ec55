package statement

import "testing"

// one100 is a statement of 100 bytes.
const one100 = `SELECT p.id, p.name, p.price FROM products p WHERE p.category_id = 42 AND p.name LIKE 'Item 1%' LIMIT`

func BenchmarkKey(b *testing.B) {
	b.Run("text", func(b *testing.B) {
		b.SetBytes(int64(len(one100)))
		b.ReportAllocs()
		for b.Loop() {
			Key("", false, one100)
		}
	})
	b.Run("query id", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Key("-1827459224716984620", false, one100)
		}
	})
}

func BenchmarkMask(b *testing.B) {
	b.SetBytes(int64(len(one100)))
	b.ReportAllocs()
	for b.Loop() {
		Mask(one100)
	}
}

func BenchmarkID(b *testing.B) {
	const text = "/*traceparent='00-3f2c8a5e9d4b4c1fa6e0b7d2c3e4f501-b39c2eabd3993833-01'*/ " + one100
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok := ID(text); !ok {
			b.Fatal("no id")
		}
	}
}
