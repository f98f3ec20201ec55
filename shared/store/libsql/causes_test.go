package libsql_test

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/libsql"
)

const token = "eyJ-a-token-that-nobody-may-see"

// answering returns the URL of a server that gives one answer to everything, with what it was asked with in it.
func answering(t *testing.T, start func(*httptest.Server), status int, header, body string) string {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, value, ok := strings.Cut(header, ": "); ok {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, strings.ReplaceAll(body, "$TOKEN", r.Header.Get("Authorization")))
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	start(srv)
	t.Cleanup(srv.Close)
	return srv.URL
}

// raw returns the URL of a server that speaks something else.
func raw(t *testing.T, says string) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 1))
			_, _ = io.WriteString(conn, says)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-done })
	return "http://" + listener.Addr().String()
}

// What a server says, or does not, is told for what it is, with what to do, in one line without the token or the SQL.
func TestCauses(t *testing.T) {
	inResult := func(message string) string {
		return fmt.Sprintf(`{"baton":null,"base_url":null,"results":[{"type":"error","error":{"message":%q}},{"type":"ok","response":{"type":"close"}}]}`, message)
	}
	plain := (*httptest.Server).Start
	secure := (*httptest.Server).StartTLS
	for _, c := range []struct {
		name, url, reason string
	}{
		{"401", answering(t, plain, 401, "", `{"error":"Authentication failed: $TOKEN"}`), "BITVILLE_DB_AUTH_TOKEN to one that is valid"},
		{"401 without a word", answering(t, plain, 401, "", ""), "BITVILLE_DB_AUTH_TOKEN to one that is valid"},
		{"403", answering(t, plain, 403, "", "Forbidden"), "BITVILLE_DB_AUTH_TOKEN to one that is valid"},
		{"401 expired", answering(t, plain, 401, "", `{"error":"Authentication failed: The JWT has expired"}`), "BITVILLE_DB_AUTH_TOKEN has expired"},
		{"read-only token", answering(t, plain, 200, "", inResult("Not authorized: this session may not write")), "BITVILLE_DB_AUTH_TOKEN may not write"},
		{"quota", answering(t, plain, 200, "", inResult("Operation was blocked: SQL write operations are forbidden (writes are blocked, do you need to upgrade your plan?)")), "the database's plan is used up"},
		{"quota, 403", answering(t, plain, 403, "", `{"error":"Operation was blocked: SQL write operations are forbidden"}`), "the database's plan is used up"},
		{"full", answering(t, plain, 200, "", inResult("SQLite error: database or disk is full")), "the database is full"},
		{"read-only", answering(t, plain, 200, "", inResult("SQLite error: attempt to write a readonly database")), "the database is read-only"},
		{"newer schema", answering(t, plain, 200, "", inResult("SQLite error: table profiling_data has no column named digest")), "of another version"},
		{"newer schema, a column more", answering(t, plain, 200, "", inResult("SQLite error: NOT NULL constraint failed: profiling_data.tenant")), "of another version"},
		{"404", answering(t, plain, 404, "", "not found"), "there is no database at BITVILLE_DB_URL"},
		{"405", answering(t, plain, 405, "", ""), "does not answer as a libSQL server"},
		{"a page", answering(t, plain, 200, "Content-Type: text/html", "<!DOCTYPE html>\n<html>stream busy $TOKEN</html>"), "does not answer as a libSQL server"},
		{"other JSON", answering(t, plain, 200, "", `{"status":"ok"}`), "does not answer as a libSQL server"},
		{"a list", answering(t, plain, 200, "", `[]`), "does not answer as a libSQL server"},
		{"a word", answering(t, plain, 200, "", "OK"), "does not answer as a libSQL server"},
		{"gateway", answering(t, plain, 502, "", "<html>\nno healthy upstream</html>"), "cannot reach it"},
		{"starting", answering(t, plain, 503, "", "maintenance"), "cannot reach it"},
		{"gateway's timeout", answering(t, plain, 504, "", ""), "did not answer in time"},
		{"request timeout", answering(t, plain, 408, "", ""), "did not answer in time"},
		{"failure", answering(t, plain, 500, "", "boom"), "the database failed"},
		{"payment", answering(t, plain, 402, "", "pay"), "look at its plan"},
		{"other host", answering(t, plain, 421, "", "misdirected"), "does not serve that host"},
		{"no results", answering(t, plain, 200, "", `{"baton":null,"results":[]}`), "does not answer as a libSQL server"},
		{"redirect", answering(t, plain, 301, "Location: https://user:secret@elsewhere.example/?secret=1", ""), "set BITVILLE_DB_URL to where it is"},
		{"redirect that keeps the method", answering(t, plain, 308, "Location: https://elsewhere.example/?secret=1", ""), "set BITVILLE_DB_URL to where it is"},
		{"unknown authority", answering(t, secure, 200, "", ""), "its authority is unknown here"},
		{"TLS is asked for", answering(t, plain, 400, "", "Client sent an HTTP request to an HTTPS server.\n"), "must begin with https://"},
		{"TLS is asked for, by a page", answering(t, plain, 400, "", "<html>The plain HTTP request was sent to HTTPS port</html>"), "must begin with https://"},
		{"TLS is not spoken", strings.Replace(answering(t, plain, 200, "", ""), "http:", "https:", 1), "must begin with http://"},
		{"no HTTP", raw(t, "SSH-2.0-OpenSSH_9.2\r\n"), "does not answer as a libSQL server"},
		{"no HTTP, no TLS", strings.Replace(raw(t, "SSH-2.0-OpenSSH_9.2\r\n"), "http:", "https:", 1), "the TLS handshake with the database failed"},
		{"refused", "http://127.0.0.1:1", "nothing listens at BITVILLE_DB_URL"},
		{"unknown host", "http://no-such-host.invalid", "the database cannot be reached: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db, err := libsql.New(libsql.Config{URL: c.url, AuthToken: token, Now: time.Now})
			require.NoError(t, err)
			defer db.Close()
			for what, err := range map[string]error{"Ready": db.Ready(t.Context()), "Reach": db.Reach(t.Context())} {
				var u *store.Unavailable
				require.ErrorAs(t, err, &u, what)
				require.Contains(t, u.Reason, c.reason, "%s: %v", what, err)
				for _, never := range []string{token, "secret", "INSERT", "\n"} {
					require.NotContains(t, err.Error(), never, what)
				}
				require.Less(t, len(err.Error()), 600)
			}
		})
	}
}

// Only the driver's requests are kept from following a redirect; others of the process do as they did.
func TestRedirectsOfOthers(t *testing.T) {
	end := answering(t, (*httptest.Server).Start, 200, "", "here")
	res, err := http.Get(answering(t, (*httptest.Server).Start, 302, "Location: "+end, ""))
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, 200, res.StatusCode)
}
