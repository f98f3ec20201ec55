package buggregator

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/wire/bitville/bitvilletest"
)

// FuzzDecode: whatever is sent, nothing panics, the same bytes make the same record, and it is one that our own format takes.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		with("[]"), with(`{"uri":"http://a/b?c=d","trace_id":"3F2C8A5E9D4B4C1FA6E0B7D2C3E4F501"}`), with(`{"url":"://#?\u0000","a":{"b":[1e400]}}`), "{", "[]",
		`{"profile":{"a==>b":{"wt":1e18}},"tags":{"uri":"","uri":7},"app_name":"\ud800","date":"1795828432.5"}`,
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, sent []byte, keep bool) {
		w := Wire{}
		if keep {
			w.Keep = []string{"query_values"}
		}
		batch, err := w.Decode(sent, "", captured, nil)
		again, _ := w.Decode(bytes.Clone(sent), "", captured, nil)
		require.Equal(t, batch, again)
		if err != nil {
			require.Empty(t, batch.Records)
			return
		}
		require.Equal(t, 1, len(batch.Records)+len(batch.Rejected))
		for _, rec := range batch.Records {
			bitvilletest.RequireTaken(t, rec, captured)
		}
	})
}
