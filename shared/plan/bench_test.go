package plan

import "testing"

// BenchmarkParse reads the twelve real plans, findings and all: bytes a second are what a look pays.
func BenchmarkParse(b *testing.B) {
	payloads := explained(b)
	size := 0
	for _, p := range payloads {
		size += len(p)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, p := range payloads {
			Parse(p)
		}
	}
}

func BenchmarkMask(b *testing.B) {
	plan := string(explained(b)[1])
	b.SetBytes(int64(len(plan)))
	b.ReportAllocs()
	for b.Loop() {
		Mask(plan)
	}
}
