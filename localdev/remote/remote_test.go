package remote_test

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/remote"
	"github.com/bitville/listener/shared/view"
)

// listener answers as one does, and notes what it was asked.
func listener(t *testing.T, status int, answer any) (c *remote.Client, asked *http.Request) {
	t.Helper()
	asked = new(http.Request)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = *r
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	c, err := remote.New(server.URL, "read-key", ca)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c, asked
}

func TestClient(t *testing.T) {
	duration := 17.5
	c, asked := listener(t, http.StatusOK, view.Requests{Project: "shop", Exact: true,
		Requests: []view.Request{{CorrelationID: "a", Name: "/cart", DurationMS: &duration}}})
	page, err := c.Requests(t.Context(), "shop", time.Hour, "0123", 20)
	require.NoError(t, err)
	require.Equal(t, "/cart", page.Requests[0].Name)
	require.Equal(t, 17.5, *page.Requests[0].DurationMS)
	require.Equal(t, "/traces/shop/requests?limit=20&route=0123&since=1h0m0s", asked.URL.String())
	require.Equal(t, "Bearer read-key", asked.Header.Get("Authorization"))
	require.Equal(t, "application/json", asked.Header.Get("Accept"))

	_, err = c.Projects(t.Context())
	require.NoError(t, err)
	require.Equal(t, "/traces/", asked.URL.String())
	_, err = c.Plan(t.Context(), "shop", "../../x?y", 3)
	require.NoError(t, err)
	require.Equal(t, "/traces/shop/..%2F..%2Fx%3Fy/plan/3", asked.URL.EscapedPath())
}

func TestRefusals(t *testing.T) {
	c, _ := listener(t, http.StatusNotFound, map[string]string{"error": "Not found"})
	_, err := c.Look(t.Context(), "shop", "a")
	require.ErrorIs(t, err, view.ErrNotFound)
	c, _ = listener(t, http.StatusUnauthorized, map[string]string{"error": "unknown read key"})
	_, err = c.Look(t.Context(), "", "a")
	require.EqualError(t, err, "the listener answered 401: unknown read key")
	c, _ = listener(t, http.StatusBadGateway, "<html>")
	_, err = c.Look(t.Context(), "", "a")
	require.EqualError(t, err, "the listener answered 502 Bad Gateway")
	c, _ = listener(t, http.StatusOK, "hello")
	_, err = c.Look(t.Context(), "", "a")
	require.ErrorContains(t, err, "does not answer as a listener")
}

func TestSettings(t *testing.T) {
	for _, address := range []string{"", "listener:8443", "http://listener:8443", "https://", "https://u:p@host", "https://host/?key=a", "%"} {
		_, err := remote.New(address, "read-key", "")
		require.ErrorContains(t, err, "the listener's address must", address)
	}
	_, err := remote.New("https://host", "", "")
	require.ErrorContains(t, err, "BITVILLE_READ_KEY")
	_, err = remote.New("https://host", "k", "nowhere.pem")
	require.ErrorContains(t, err, "nowhere.pem")
}
