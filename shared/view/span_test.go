package view_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/view"
)

func TestParseSpan(t *testing.T) {
	for text, want := range map[string]time.Duration{"1s": time.Second, "30m": 30 * time.Minute, "1h30m": 90 * time.Minute, "7d": 7 * 24 * time.Hour, "90d": 90 * 24 * time.Hour} {
		span, err := view.ParseSpan(text)
		require.NoError(t, err, text)
		require.Equal(t, want, span, text)
	}
	for _, text := range []string{"", "d", "7", "7D", "-1h", "0s", "999ms", "91d", "65536d", "2161h", "1.5d", "+7d", "a week"} {
		_, err := view.ParseSpan(text)
		require.EqualError(t, err, "a span as in 30m, 24h or 7d: at least a second and at most 90d", text)
	}
}
