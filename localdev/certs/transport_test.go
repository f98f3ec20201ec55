package certs

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What an authority says of a failure is kept, the rest is not; and the answer is passed on as it was, but for
// a pause that would keep Run from ending.
func TestTrouble(t *testing.T) {
	for name, c := range map[string]struct {
		status     int
		body       string
		want       string
		retryAfter string
	}{
		"a problem":        {429, `{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many certificates","status":429}`, "failed: too many certificates", "3600"},
		"a stale nonce":    {400, `{"type":"urn:ietf:params:acme:error:badNonce","detail":"stale","status":400}`, "failed", "3600"},
		"a challenge":      {200, `{"status":"invalid","challenges":[{"status":"pending"},{"status":"invalid","error":{"detail":"refused"}}]}`, "failed: refused", "3"},
		"all is well":      {200, `{"status":"valid","challenges":[{"status":"valid"}]}`, "failed", "3"},
		"no JSON":          {200, "-----BEGIN CERTIFICATE-----", "failed", "3"},
		"a very long tale": {500, `{"detail":"` + strings.Repeat("é", 5000) + `"}`, "failed: " + strings.Repeat("é", 250), "3600"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", "3600")
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			}))
			defer server.Close()
			failures := &transport{next: server.Client().Transport, run: t.Context()}
			resp, err := (&http.Client{Transport: failures}).Get(server.URL)
			require.NoError(t, err)
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.Equal(t, c.body, string(body))
			require.Equal(t, c.status, resp.StatusCode)
			require.Equal(t, c.retryAfter, resp.Header.Get("Retry-After"))
			require.EqualError(t, failures.explain(errors.New("failed")), c.want)
			failures.forget()
			require.EqualError(t, failures.explain(errors.New("failed")), "failed")
		})
	}
}
