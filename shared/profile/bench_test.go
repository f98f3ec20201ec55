package profile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// large are profiles of about 4 MiB: of each kind what a large request might send, and the worst that a text of that size can hold.
func large() map[string][]byte {
	const size = 4 << 20
	grow := func(open, shut, separator string, part func(i int) string) []byte {
		var b bytes.Buffer
		b.WriteString(open)
		for i := 0; b.Len() < size; i++ {
			if i > 0 {
				b.WriteString(separator)
			}
			b.WriteString(part(i))
		}
		b.WriteString(shut)
		return b.Bytes()
	}
	frames := func(n int) string {
		var names []string
		for i := range n {
			names = append(names, fmt.Sprintf(`{"name":"App\\Service%d::run","file":"\/srv\/www\/src\/Service%d.php"}`, i, i))
		}
		return `{"shared":{"frames":[` + strings.Join(names, ",") + `]},"profiles":[{"unit":"nanoseconds","weights":[` + strings.Repeat("1,", 399_999) + `1],"samples":[`
	}
	stack := func(i int, separator, format string) string {
		var s []string
		for d := range 30 {
			s = append(s, fmt.Sprintf(format, (d*7+i>>max(0, 12-d/2)%16)%2000))
		}
		return strings.Join(s, separator)
	}
	return map[string][]byte{
		"edges": grow("{", "}", ",", func(i int) string {
			return fmt.Sprintf(`"App\\Service%d::run==>App\\Domain\\Model%d::load":{"ct":%d,"wt":%d,"cpu":1,"mu":%d,"pmu":0}`, i%5000, i, i%9, i%99999, i)
		}),
		"edges-worst":      grow("{", "}", ",", func(i int) string { return fmt.Sprintf(`"%x==>%x":{"ct":1}`, 2*i, 2*i+1) }),
		"speedscope":       grow(frames(2000), "]}]}", ",", func(i int) string { return "[" + stack(i, ",", "%d") + "]" }),
		"speedscope-worst": grow(frames(10), "]}]}", ",", func(i int) string { return fmt.Sprintf("[%s]", strings.Join(strings.Split(fmt.Sprint(i), ""), ",")) }),
		"collapsed":        grow(`{"period_ms":1,"stacks":"`, `"}`, "", func(i int) string { return stack(i, ";", `App\\Service%d::run`) + ` 1\n` }),
		"collapsed-worst":  grow(`{"period_ms":1,"stacks":"`, `"}`, "", func(i int) string { return fmt.Sprintf(`%x;%x 1\n`, i, i+1) }),
		"spans": grow(`{"spans":[`, `]}`, ",", func(i int) string {
			return spanText("SELECT shop.products", fmt.Sprint(i+1), fmt.Sprint((i+3)/4), int64(i), int64(i)+3)
		}),
	}
}

// BenchmarkParse reads real and large profiles. B/op is all that was allocated; kept-MB is what the profile holds while a page draws it.
func BenchmarkParse(b *testing.B) {
	texts := large()
	for name, raw := range payloads(b) {
		texts[name] = raw
	}
	for _, name := range []string{"php-xhprof", "php-xhprof-large", "php-excimer-speedscope", "php-excimer-collapsed",
		"edges", "edges-worst", "speedscope", "speedscope-worst", "collapsed", "collapsed-worst", "spans"} {
		raw := texts[name]
		if !json.Valid(raw) {
			b.Fatal(name)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if p := Parse(raw); p.Skipped > 0 || len(p.Functions) == 0 {
					b.Fatal(p.Notes)
				}
			}
			b.StopTimer()
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			p := Parse(raw)
			runtime.GC()
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/(1<<20), "kept-MB")
			runtime.KeepAlive(p)
		})
	}
}

// BenchmarkFlame lays out the largest tree that Parse makes.
func BenchmarkFlame(b *testing.B) {
	p := Parse(large()["speedscope"])
	b.ReportAllocs()
	for b.Loop() {
		if len(p.Flame(0.0005, 4000).Boxes) == 0 {
			b.Fatal("no boxes")
		}
	}
}
