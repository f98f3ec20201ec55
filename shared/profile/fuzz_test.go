package profile

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzParse: no text breaks Parse, what it returns is sound, and JSON that means the same gives the same.
func FuzzParse(f *testing.F) {
	for _, raw := range []string{
		`{}`, `[]`, `{"main()":{"ct":1,"wt":2.5e3,"cpu":1,"mu":-1,"pmu":1},"main()==>f@1":{"ct":1,"wt":3},"f==>f@1":{"ct":1,"wt":1},"f@1==>f":{"ct":1,"wt":9}}`,
		`{"collapsed":"a;b 2\na;a;\u00e9 1\n","period_ms":0.5}`,
		speedscopeDocument("seconds", `"samples":[[0],[0,1,0]],"weights":[1,2]`),
		speedscopeDocument("none", `"events":[{"type":"O","frame":0,"at":5},{"type":"C","frame":0,"at":9}]`),
		`{"spans":[` + spanText("a", "1", "2", 1, 5) + `,` + databaseSpan("b", "2", "", 2, 4, "db.statement") + `]}`,
	} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := Parse(raw)
		requireSound(t, p)
		requireSound(t, Merge(p, p))
		if !json.Valid(raw) {
			return
		}
		for _, note := range p.Notes {
			require.NotContains(t, note, "not JSON")
		}
		var spaced bytes.Buffer
		require.NoError(t, json.Indent(&spaced, raw, " ", "\t"))
		require.Equal(t, p, Parse(spaced.Bytes()))
	})
}

// FuzzEdges: the order in which the profiler wrote the edges makes no difference.
func FuzzEdges(f *testing.F) {
	f.Add(uint64(1), []byte("abcabcaabbcc"))
	f.Fuzz(func(t *testing.T, seed uint64, bits []byte) {
		edges := make(map[string]json.RawMessage)
		for len(bits) >= 3 {
			name := func(b byte) string {
				return []string{"f", "f@1", "f@2", "g", "PDO::query", "PDO::query@1", "main()", "h"}[b%8]
			}
			key := name(bits[0]) + "==>" + name(bits[1])
			if bits[0] > 200 {
				key = name(bits[1])
			}
			edges[key], _ = json.Marshal(map[string]int{"ct": int(bits[2] % 7), "wt": 1000 * int(bits[2])})
			bits = bits[3:]
		}
		var keys []string
		for key := range edges {
			keys = append(keys, key)
		}
		text := func() []byte {
			out := []byte("{")
			for i, key := range keys {
				if i > 0 {
					out = append(out, ',')
				}
				out = append(append(append(append(out, '"'), key...), `":`...), edges[key]...)
			}
			return append(out, '}')
		}
		p := Parse(text())
		requireSound(t, p)
		random := rand.New(rand.NewPCG(seed, 0))
		random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		again := Parse(text())
		require.Equal(t, p.Functions, again.Functions)
		require.InDelta(t, p.TotalMS, again.TotalMS, 1e-9)
		require.InDelta(t, p.KnownStacks, again.KnownStacks, 1e-9)
	})
}
