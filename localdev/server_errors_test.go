package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
)

// A token that the database's server refuses is told by its setting's name wherever one looks: an agent's answer, /ready,
// the log, and check. The token itself is in none of them, though the server sends it back.
func TestWrongDatabaseToken(t *testing.T) {
	const token = "eyJ-a-token-that-nobody-may-see"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":"Authentication failed: `+r.Header.Get("Authorization")+`"}`)
	}))
	defer server.Close()
	settings := []string{"BITVILLE_DB_PATH=", "BITVILLE_DB_URL=" + server.URL, "BITVILLE_DB_AUTH_TOKEN=" + token}
	l := startListener(t, settings...)
	const want = "set BITVILLE_DB_AUTH_TOKEN to one that is valid for it"

	status, answer := l.Post(strings.NewReader(phpRecord(1)))
	require.Equal(t, 503, status)
	require.Contains(t, answer, want)
	status, _, ready := l.Do("GET", "/ready", nil)
	require.Equal(t, 503, status)
	require.Contains(t, ready, want)
	checked, err := command(t, append(settings, "BITVILLE_API_KEY_SHOP="+listenertest.Key), "check")
	require.Error(t, err)
	require.Contains(t, checked, want)
	require.Equal(t, 1, strings.Count(checked, "\n"), checked)
	for range 20 {
		_, _ = l.Post(strings.NewReader(phpRecord(1)))
	}
	require.Eventually(t, func() bool { return strings.Contains(l.Log.String(), want) }, 10*time.Second, 10*time.Millisecond)
	for _, text := range []string{answer, ready, checked, l.Log.String()} {
		require.NotContains(t, text, token)
	}
	require.Equal(t, 1, strings.Count(l.Log.String(), `"path":"/ingest/php"`), "one line for them all:\n%s", l.Log)
}
