package ship

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSends(t *testing.T) {
	l := newListener(t)
	h := newHarness(t, l)
	h.run(t)
	require.NoError(t, h.Put(rec(1), []byte("{\"project\":\"shop\",\r\n\"n\":2}")))
	require.NoError(t, h.PutTo(Stream{"php", "blog"}, []byte(`{"project":"blog"}`)))
	require.NoError(t, h.Drain(t.Context()))
	got := l.got()
	require.Len(t, got, 2)
	if got[0].path != "/ingest/postgres" {
		got[0], got[1] = got[1], got[0]
	}
	require.Equal(t, "/ingest/postgres", got[0].path)
	require.Equal(t, "the-shop", got[0].key)
	require.Equal(t, []string{`{"project":"shop","n":1}`, `{"project":"shop",  "n":2}`}, got[0].lines)
	require.Equal(t, "/ingest/php", got[1].path)
	require.Equal(t, "the-blog", got[1].key)
	require.Equal(t, 3, h.counts.get("sent accepted"))
	require.Equal(t, 2, h.counts.get("posted 200"))
	require.Zero(t, h.Bytes())
	require.True(t, h.Up())
	require.Empty(t, h.files(t, "spool"))
}

// TestSameBody: a batch is tried with the same bytes until it is taken, whatever is put meanwhile.
func TestSameBody(t *testing.T) {
	l := newListener(t)
	l.set(status(503, `{"error":"Not stored: busy"}`, "Retry-After", "7"))
	h := newHarness(t, l)
	h.run(t)
	for n := range 5 {
		require.NoError(t, h.Put(rec(n)))
		eventually(t, func() bool { return h.failures() == n+1 }, "it is tried again after what the listener has asked for")
		time.Sleep(20 * time.Millisecond)
		require.Len(t, l.got(), n+1)
		h.clock.add(6 * time.Second)
		h.ring()
		time.Sleep(20 * time.Millisecond)
		require.Len(t, l.got(), n+1, "Retry-After is obeyed")
		h.clock.add(2 * time.Second)
		h.ring()
	}
	l.set(acceptAll)
	h.clock.add(time.Hour)
	h.ring()
	require.NoError(t, h.Drain(t.Context()))
	bodies := map[string]bool{}
	for _, r := range l.got() {
		bodies[r.body] = true
	}
	require.Len(t, bodies, 2, "the first record, and all that came later")
	require.Len(t, h.logged(t, "listener back"), 1)
}
