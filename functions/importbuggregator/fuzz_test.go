package importbuggregator_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/functions/importbuggregator"
	"github.com/bitville/listener/shared/intake"
	"github.com/bitville/listener/shared/intake/intaketest"
	"github.com/bitville/listener/shared/store"
)

// FuzzRoute: whatever is sent is the client's doing, never a fault of the listener; and what is answered with 200 is stored.
func FuzzRoute(f *testing.F) {
	good := []byte(`{"profile":{"main()":{"ct":1,"wt":1000}},"tags":{"uri":"/a"},"app_name":"app","date":1795828432}`)
	for _, contentEncoding := range []string{"", "gzip", "zstd", "br"} {
		for _, body := range [][]byte{good, append(append([]byte("[]\n"), good...), '\n'), []byte("{"), nil, []byte("\x1f\x8b\x08")} {
			f.Add(body, "application/json", contentEncoding)
			f.Add(body, "application/x-ndjson", contentEncoding)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, contentType, contentEncoding string) {
		db := &intaketest.Counting{}
		counted := store.Count{}
		h := intaketest.Over(db, importbuggregator.New, func(cfg *intake.Config) {
			cfg.Count = func(c store.Count) {
				counted.Stored.Accepted += c.Stored.Accepted
				counted.Rejected = append(counted.Rejected, c.Rejected...)
			}
		})
		w := intaketest.Post(h, importbuggregator.Path, body, "Content-Type", contentType, "Content-Encoding", contentEncoding)
		require.Less(t, w.Code, 500)
		require.NotEqual(t, 202, w.Code)
		require.True(t, json.Valid(w.Body.Bytes()), w.Body)
		require.Equal(t, db.Records, counted.Stored.Accepted)
		if w.Code == 200 {
			require.Empty(t, counted.Rejected)
			require.NotContains(t, w.Body.String(), `"error"`)
		} else {
			require.Contains(t, w.Body.String(), `"error"`)
		}
	})
}
