package pglog

import "testing"

// FuzzFormats: any bytes, cut anywhere, are cut into the same pieces as the whole, none is empty, and nothing panics.
func FuzzFormats(f *testing.F) {
	for _, name := range []string{"postgres-jsonlog.jsonl", "postgres-csvlog.csv", "postgres-stderr.log"} {
		f.Add(read(f, name)[:3000], uint16(100))
	}
	f.Add("2026-11-28 01:10:13.667 UTC,\"a\"\"\n,\",,1,,6b.1,1\n2026-11-28 01:10:13.667 UTC,,,1,,6b.1,1,", uint16(3))
	f.Add("2026-11-28 01:10:13.667 UTC [1] a@b/c LOG:  x\n\ty\n2026-11-28 01:10:13.667 UTC [1] a@b/c CONTEXT:  z\nlost", uint16(50))
	f.Add(`{"timestamp":"2026-11-28 01:10:13.667 UTC","message":"\u00`, uint16(1))
	f.Fuzz(func(t *testing.T, text string, at uint16) {
		for _, format := range []string{"jsonlog", "csvlog", "stderr"} {
			form, err := New(format, prefix)
			if err != nil {
				t.Fatal(err)
			}
			var whole, parts []string
			for rest := text; rest != ""; {
				n := form.Next([]byte(rest), true)
				if n <= 0 || n > len(rest) {
					t.Fatalf("%s: %d bytes of %q", format, n, rest)
				}
				_, _ = form.Parse([]byte(rest[:n]))
				whole, rest = append(whole, rest[:n]), rest[n:]
			}
			first := text[:min(int(at), len(text))]
			for n := form.Next([]byte(first), false); n > 0; n = form.Next([]byte(first), false) {
				parts, first = append(parts, first[:n]), first[n:]
			}
			for i := range parts {
				if parts[i] != whole[i] {
					t.Fatalf("%s: the first part is cut into %q, the whole into %q", format, parts, whole)
				}
			}
		}
	})
}
