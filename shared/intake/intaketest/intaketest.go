// Package intaketest runs an ingest function's handler on a real database and posts real payloads to it.
package intaketest

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/intake"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/refusals"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/libsql/libsqltest"
	"github.com/bitville/listener/shared/store/sqlite"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
	"github.com/bitville/listener/shared/web"
)

// Key is one of the project shop, as the payloads have it.
const Key = "shop-key-0123456789"

// Now is a time when the payloads, and the bodies of other agents, had been recorded: so that they can be sent as they are.
var Now = time.Unix(1795828600, 0)

// New makes a function's handler over a database of its own, at the time Now.
func New(t *testing.T, function func(intake.Config) web.Routes) (h http.Handler, db *sqlite.DB, path string) {
	t.Helper()
	db, path = sqlitetest.New(t)
	return Over(db, function, nil), db, path
}

// Over makes a function's handler over a store, at the time Now, with a change of what it is given where change is not nil.
func Over(db intake.Store, function func(intake.Config) web.Routes, change func(*intake.Config)) http.Handler {
	cfg := intake.Config{
		Keys:      auth.NewKeys([]auth.Key{{Project: "shop", Secret: Key}}),
		Store:     db,
		Log:       slog.New(slog.DiscardHandler),
		Now:       func() time.Time { return Now },
		Retention: 7 * 24 * time.Hour,
		Bodies:    intake.NewBodies(4 << 20),
		Throttle:  auth.NewThrottle(100, time.Now),
		Count:     func(store.Count) {},
		Refusals:  refusals.New(refusals.Config{Store: refusals.Nowhere{}, Log: slog.New(slog.DiscardHandler), Now: time.Now}),
	}
	if change != nil {
		change(&cfg)
	}
	return web.New(web.Config{Log: cfg.Log, Observe: func(web.Observation) {}}, function(cfg))
}

// OnBoth runs a test on a database of each kind. The one on a server is skipped where there is none.
func OnBoth(t *testing.T, test func(*testing.T, store.Store)) {
	t.Run("sqlite", func(t *testing.T) {
		db, _ := sqlitetest.New(t)
		test(t, db)
	})
	t.Run("libsql", func(t *testing.T) {
		db, _ := libsqltest.New(t)
		test(t, db)
	})
}

// Captured reads a file of testdata/dialects, for a test in a function's folder; what ends in .gz is opened.
func Captured(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile("../../testdata/dialects/" + file)
	require.NoError(t, err)
	if strings.HasSuffix(file, ".gz") {
		r, err := gzip.NewReader(bytes.NewReader(data))
		require.NoError(t, err)
		data, err = io.ReadAll(r)
		require.NoError(t, err)
	}
	return data
}

// Post sends a body, with Key as its bearer unless an Authorization is among the headers, which are pairs of name and value; an
// empty value leaves a header out.
func Post(h http.Handler, path string, body []byte, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+Key)
	for i := 0; i < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i+1] == "" {
			r.Header.Del(headers[i])
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// Payload reads a file of testdata/payloads, for a test in a function's folder.
func Payload(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile("../../testdata/payloads/" + file)
	require.NoError(t, err)
	return data
}

// Counting is a store that takes everything and keeps how many records it took.
type Counting struct{ Records int }

func (*Counting) Admit() error { return nil }

func (c *Counting) Insert(_ context.Context, records []record.Record) (store.Result, error) {
	c.Records += len(records)
	return store.Result{Accepted: len(records)}, nil
}
