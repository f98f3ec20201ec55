package refusals

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// written is a store that keeps what each write added, unless it is to fail.
type written struct {
	Nowhere
	fails bool
	adds  [][]Refusal
}

func (w *written) AddRefusals(_ context.Context, all []Refusal) error {
	if w.fails {
		return errors.New("away")
	}
	w.adds = append(w.adds, all)
	return nil
}

func TestLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &written{}
		l := New(Config{Store: s, Log: slog.New(slog.DiscardHandler), Now: time.Now})
		ctx, end := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); l.Run(ctx) }()
		hour := time.Now().UTC().Truncate(time.Hour)

		for range 3 {
			l.Note(Refusal{Project: "shop", Route: "/ingest/php", Reason: Rejected, Field: "timestamp", Count: 2, Message: "old"})
		}
		l.Note(Refusal{Project: "shop", Route: "/ingest/php", Reason: Rejected, Field: "timestamp", Count: 1, Message: strings.Repeat("é", 200)})
		time.Sleep(11 * time.Second)
		require.Equal(t, [][]Refusal{{{Hour: hour, Project: "shop", Route: "/ingest/php", Reason: Rejected, Field: "timestamp", Count: 7,
			LastAt: time.Now().Add(-11 * time.Second), Message: strings.Repeat("é", 150) + "…"}}}, s.adds, "one row for one reason, the last message, cut")

		time.Sleep(30 * time.Second)
		require.Len(t, s.adds, 1, "nothing is written when nothing was refused")

		s.fails = true
		l.Note(Refusal{Reason: Unauthorized, Count: 1})
		time.Sleep(30 * time.Second)
		l.Note(Refusal{Reason: Unauthorized, Count: 1})
		s.fails = false
		end()
		<-done
		require.Len(t, s.adds, 2, "the end writes what is left")
		require.EqualValues(t, 2, s.adds[1][0].Count, "a write that failed is made up for")
	})
}

// A stranger can make the ledger neither large nor slow.
func TestLedgerIsBounded(t *testing.T) {
	s := &written{}
	l := New(Config{Store: s, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	for i := range 3 * maxPending {
		l.Note(Refusal{Project: strings.Repeat("x", i%5000), Route: string(rune(i)), Count: 1})
	}
	require.Len(t, l.pending, maxPending)
	l.FlushIfDue(t.Context())
	require.Len(t, s.adds, 1)
	l.Note(Refusal{Count: 1})
	l.FlushIfDue(t.Context())
	require.Len(t, s.adds, 1, "ten seconds are not over")
}
