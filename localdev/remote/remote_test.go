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

// listener answers as one does, with a header, and notes what it was asked.
func listener(t *testing.T, status int, answer any, header ...string) (c *remote.Client, asked *http.Request) {
	t.Helper()
	asked = new(http.Request)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = *r
		if len(header) > 1 && header[1] != "" {
			w.Header().Set(header[0], header[1])
		}
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

	_, err = c.Plan(t.Context(), "shop", "../../x?y", 3)
	require.NoError(t, err)
	require.Equal(t, "/traces/shop/..%2F..%2Fx%3Fy/plan/3", asked.URL.EscapedPath())

	c, asked = listener(t, http.StatusOK, view.Projects{Projects: []view.Project{{Project: "blog"}, {Project: "shop"}}})
	names, err := c.Projects(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"blog", "shop"}, names)
	require.Equal(t, "/traces/", asked.URL.String())
}

// An id is in one project, to which the answer leads, in several, or in none. The key goes to no other host.
func TestProjectsOf(t *testing.T) {
	for _, c := range []struct {
		name, location string
		status         int
		answer         any
		want           []string
		problem        string
	}{
		{"one", "/traces/my%20shop/a", http.StatusSeeOther, nil, []string{"my shop"}, ""},
		{"one of a name that is a page's", "/traces/project:login/a", http.StatusSeeOther, nil, []string{"login"}, ""},
		{"several", "", http.StatusOK, map[string]any{"correlation_id": "a", "projects": []string{"blog", "shop"}}, []string{"blog", "shop"}, ""},
		{"another place", "https://elsewhere.invalid/traces/shop/a", http.StatusSeeOther, nil, nil, "does not answer as a listener does"},
		{"another page", "/login", http.StatusSeeOther, nil, nil, "does not answer as a listener does"},
		{"no place", "", http.StatusSeeOther, nil, nil, "does not answer as a listener does"},
		{"none, and no pages", "", http.StatusNotFound, map[string]string{"error": "Not found"}, nil, "serves no pages: set BITVILLE_READ_KEY_<PROJECT>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, _ := listener(t, c.status, c.answer, "Location", c.location)
			names, err := client.ProjectsOf(t.Context(), "a")
			require.Equal(t, c.want, names)
			if c.problem == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.problem)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	c, _ := listener(t, http.StatusNotFound, map[string]string{"error": "Not found"})
	_, err := c.Look(t.Context(), "shop", "a")
	require.ErrorIs(t, err, view.ErrNotFound)
	c, _ = listener(t, http.StatusUnauthorized, map[string]string{"error": "unknown read key"})
	_, err = c.Look(t.Context(), "shop", "a")
	require.ErrorContains(t, err, " does not take the key in BITVILLE_READ_KEY: unknown read key")
	c, _ = listener(t, http.StatusServiceUnavailable, map[string]string{"error": "Busy:\n try again"})
	_, err = c.Look(t.Context(), "shop", "a")
	require.ErrorContains(t, err, " answered 503: Busy: try again")
	c, _ = listener(t, http.StatusBadGateway, "<html>")
	_, err = c.Look(t.Context(), "shop", "a")
	require.ErrorContains(t, err, "does not answer as a listener does: look at the host, port and path of --url: it answered 502 Bad Gateway")
	for _, answer := range []any{"hello", nil, map[string]any{}, map[string]any{"project": 7}, []int{1}} {
		c, _ = listener(t, http.StatusOK, answer)
		_, err = c.Look(t.Context(), "shop", "a")
		require.ErrorContains(t, err, "does not answer as a listener does", answer)
	}
}

func TestSettings(t *testing.T) {
	for _, address := range []string{"", "listener:8443", "http://listener:8443", "https://", "https://u:p@host", "https://host/?key=a", "https://host/#a", "%"} {
		_, err := remote.New(address, "read-key", "")
		require.ErrorContains(t, err, "--url must", address)
	}
	_, err := remote.New("https://host", "", "")
	require.ErrorContains(t, err, "BITVILLE_READ_KEY")
	_, err = remote.New("https://host", "k", "nowhere.pem")
	require.ErrorContains(t, err, "nowhere.pem")
}
