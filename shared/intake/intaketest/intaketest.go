// Package intaketest runs an ingest function's handler on a real database and posts real payloads to it.
package intaketest

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/intake"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/sqlite"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
	"github.com/bitville/listener/shared/web"
)

const key = "shop-key-0123456789" // of the project shop, as the payloads have it

// New makes a function's handler over a database of its own, at the time when the payloads were recorded: so
// that they can be sent as they are.
func New(t *testing.T, function func(intake.Config) web.Routes) (h http.Handler, db *sqlite.DB, path string) {
	t.Helper()
	db, path = sqlitetest.New(t)
	log := slog.New(slog.DiscardHandler)
	routes := function(intake.Config{
		Keys:      auth.NewKeys([]auth.Key{{Project: "shop", Secret: key}}),
		Store:     db,
		Log:       log,
		Now:       func() time.Time { return time.Unix(1795828600, 0) },
		Retention: 7 * 24 * time.Hour,
		Bodies:    intake.NewBodies(4 << 20),
		Throttle:  auth.NewThrottle(100, time.Now),
		Count:     func(store.Count) {},
	})
	return web.New(web.Config{Log: log, Observe: func(web.Observation) {}}, routes), db, path
}

// Post sends a body. Headers are pairs of name and value.
func Post(h http.Handler, path string, body []byte, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, bytes.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+key)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
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
