package xhgui

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/wire/bitville/bitvilletest"
)

// FuzzDecode: whatever is sent, nothing panics, the same bytes make the same records, each record is one that our own format
// takes, and a bad line takes no good one with it.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{ // short ones: with the captured bodies, which TestCaptured reads, there are a few runs a second
		with(`{"main()==>a":{"wt":1},"main()":{"wt":2}}`, nil), with("[]", map[string]string{"env": "[]", "simple_url": `"cli.php a --b=c"`}), "{", "[]\n{}",
		with(`{"a":"\ud800\u0000"}`, map[string]string{"url": `"/\u0000"`, "$UNIQUE_ID": `"ffffffffffffffffffffffffffffffff"`}),
		`{"profile":{},"meta":{"url":"x","SERVER":{"REQUEST_TIME_FLOAT":"1e9"}},"meta":{"url":"/","request_ts":{"sec":1795828408.9999999}}}`,
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	good := with(`{"main()":{"ct":1,"wt":1000}}`, nil)
	f.Fuzz(func(t *testing.T, sent []byte, keep bool) {
		w := Wire{}
		if keep {
			w.Keep = []string{"query_values", "env", "get", "REMOTE_ADDR"}
		}
		batch, err := w.Decode(sent, "application/json", captured, nil)
		again, _ := w.Decode(bytes.Clone(sent), "application/json", captured, nil)
		require.Equal(t, batch, again)
		if err != nil {
			require.Empty(t, batch.Records)
			return
		}
		for _, rec := range batch.Records {
			bitvilletest.RequireTaken(t, rec, captured)
		}
		line := strings.NewReplacer("\n", " ", "\r", " ").Replace(string(sent))
		beside, err := w.Decode([]byte(good+"\n"+line+"\n"+good), ndjson, captured, nil)
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(beside.Records), 2)
		require.Equal(t, decode(t, w, good, ndjson).Records[0], beside.Records[0])
		require.Equal(t, beside.Records[0], beside.Records[len(beside.Records)-1])
	})
}
