package tail

import (
	"io"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/agent/pglog"
)

func TestStream(t *testing.T) {
	b := newBench(t, "stderr")
	text := b.entry() + b.entry() + b.entry()
	in, out := io.Pipe()
	go func() {
		for piece := range slices.Chunk([]byte(text), 7) {
			_, _ = out.Write(piece)
		}
		_ = out.Close()
	}()
	s := NewStream(t.Context(), in, func(beginning []byte) (pglog.Format, error) {
		return pglog.New(pglog.Guess(beginning), "%m [%p] ")
	}, time.Now)
	var got []string
	for {
		items, err := s.Next(t.Context())
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		for _, item := range items {
			got = append(got, item.Context)
		}
	}
	require.Equal(t, []string{"c1", "c2", "c3"}, got)
}
