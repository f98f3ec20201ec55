package remote

import (
	"context"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A listener that does not answer holds nobody up for long.
func TestTimes(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/traces/" {
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
		}
		<-release
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(release) })
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	c, err := New(server.URL, "read-key", ca)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.Equal(t, timeout, c.http.Timeout)
	require.Equal(t, answerTime, c.http.Transport.(*http.Transport).ResponseHeaderTimeout)

	c.http.Timeout = 50 * time.Millisecond
	_, err = c.Look(t.Context(), "shop", "a")
	require.ErrorContains(t, err, "did not answer in time: try again, or a shorter --since")
	_, err = c.Projects(t.Context())
	require.ErrorContains(t, err, "did not answer in time", "an answer that does not end")
	c.http.Timeout, c.http.Transport.(*http.Transport).ResponseHeaderTimeout = 0, 50*time.Millisecond
	_, err = c.Look(t.Context(), "shop", "a")
	require.ErrorContains(t, err, "did not answer in time")
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Look(interrupted, "shop", "a")
	require.ErrorIs(t, err, context.Canceled)
}
