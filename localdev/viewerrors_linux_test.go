package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
)

// What is wrong is told in one line, with the remedy.
func TestViewErrors(t *testing.T) {
	l := startListener(t, readable, "BITVILLE_READ_KEY_BLOG=another-key-012345", "BITVILLE_API_KEY_BLOG=blog-key-0123456789")
	without := startListener(t)
	const id = "00000000-0000-4000-8000-000000000007"
	empty := l.env()
	for _, args := range [][]string{{"slowest"}, {"routes", "shop"}} {
		requireRefused(t, "listener: there are no records yet; the README and infra/agents.md say how to post the first\n", empty, args...)
	}
	requireRefused(t, "there are no records yet", l.remote(), "statements", "--url", l.URL)
	for key, project := range map[string]string{listenertest.Key: "shop", "blog-key-0123456789": "blog"} {
		l.Key = key
		status, answer := l.Post(strings.NewReader(strings.Replace(phpRecord(7), `"shop"`, `"`+project+`"`, 1)))
		require.Equal(t, 200, status, answer)
	}
	require.Contains(t, output(t, l.env(), "statements", "blog"), "Nothing began in this span")
	at := func(url string) []string { return []string{"slowest", "--url", url} }
	handler := func(status int, body string, header ...string) (ca, url string) {
		server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(server.Close)
		return certificateOf(t, server), server.URL
	}
	otherCA, other := handler(200, "")
	const stranger = "does not answer as a listener does: look at the host, port and path of --url"
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	closed := httptest.NewTLSServer(nil)
	closed.Close()

	type refusal struct {
		want string
		env  []string
		args []string
	}
	cases := []refusal{
		{`"7" is no correlation id: that is a UUID such as d37cc455-87f5-457f-b02d-86776b296414, or 32 hexadecimal digits`, l.env(), []string{"trace", "7"}},
		{"nothing is stored under " + productID, l.env(), []string{"why", productID}},
		{"nothing is stored under " + productID, l.remote(), []string{"why", productID, "--url", l.URL}},
		{"nothing is stored under " + productID + ` in the project "shop"`, l.env(), []string{"why", productID, "--project", "Shop"}},
		{`several projects have ` + id + `: choose by --project one of "blog", "shop"`, l.env(), []string{"trace", id}},
		{`there are several projects: name one of "blog", "shop"`, l.env(), []string{"slowest"}},
		{`there is no project "shp"; there is "blog", "shop"`, l.env(), []string{"routes", "shp"}},
		{`there is no project "shp"; there is "blog", "shop"`, l.env(), []string{"trace", id, "--project", "shp"}},
		{`there is no project "blog"; there is "shop"`, l.remote(), []string{"routes", "blog", "--url", l.URL}},
		{"--plan is 1: the request has no statement", l.env(), []string{"trace", id, "--project", "shop", "--plan", "1"}},
		{"--limit is 501: set a number from 1 to 500", l.env(), []string{"slowest", "shop", "--limit", "501"}},
		{`--since: "week" is not a span as in 30m, 24h or 7d: at least a second and at most 90d; see listener help`, l.env(), []string{"slowest", "shop", "--since", "week"}},
		{"(BITVILLE_DB_PATH): the file " + l.DBPath + ".none is missing", []string{"BITVILLE_DB_PATH=" + l.DBPath + ".none"}, []string{"slowest"}},
		{"BITVILLE_DB_URL names a server, of which there are no pages yet", []string{"BITVILLE_DB_URL=https://db.example"}, []string{"slowest"}},

		{"--url must be an https:// URL", l.remote(), at("http://localhost")},
		{"BITVILLE_READ_KEY is not set", nil, at(l.URL)},
		{"does not take the key in BITVILLE_READ_KEY: Unknown read key", l.remote("BITVILLE_READ_KEY=" + listenertest.Key), at(l.URL)},
		{"is not trusted: set BITVILLE_CA_PATH to the listener's certificate", []string{"BITVILLE_READ_KEY=" + readKey}, at(l.URL)},
		{"read the certificate to trust (BITVILLE_CA_PATH): open /nowhere.pem", []string{"BITVILLE_READ_KEY=" + readKey, "BITVILLE_CA_PATH=/nowhere.pem"}, at(l.URL)},
		{"serves no pages: set BITVILLE_READ_KEY_<PROJECT> where it runs", without.remote(), at(without.URL)},
		{"serves no pages", without.remote(), []string{"trace", id, "--url", without.URL}},
		{"--url must have a name that the listener's certificate has: x509: certificate is valid for example.com, ", []string{"BITVILLE_READ_KEY=" + readKey, "BITVILLE_CA_PATH=" + otherCA}, at(strings.Replace(other, "127.0.0.1", "localhost", 1))},
		{"speaks HTTP without TLS", l.remote(), at(strings.Replace(plain.URL, "http:", "https:", 1))},
		{"nothing listens at " + strings.TrimPrefix(closed.URL, "https://"), l.remote(), at(closed.URL)},
		{"the host of --url, nowhere.invalid, is not known", l.remote(), at("https://nowhere.invalid")},
	}
	for _, c := range []struct {
		status int
		body   string
		header []string
		want   string
	}{
		{404, "<html>not here</html>", nil, stranger + ": it answered 404 Not Found"},
		{502, "", nil, stranger + ": it answered 502 Bad Gateway"},
		{200, "<html>hello</html>", nil, stranger},
		{200, "{}", []string{"Content-Type", "application/json"}, stranger},
		{200, `{"projects":7}`, nil, stranger},
		{303, "", []string{"Location", l.URL}, stranger},
		{302, "", []string{"Location", "/login"}, stranger + ": it answered 302 Found"},
		{503, `{"error":"Busy:\u001b[31m the page\u202e\n would have taken too long"}`, nil, "answered 503: Busy:·[31m the page· would have taken too long"},
	} {
		ca, url := handler(c.status, c.body, c.header...)
		env := []string{"BITVILLE_READ_KEY=" + readKey, "BITVILLE_CA_PATH=" + ca}
		cases = append(cases, refusal{c.want + "\n", env, at(url)})
		if c.status != 503 {
			cases = append(cases, refusal{c.want + "\n", env, []string{"why", id, "--url", url}})
		}
	}
	for _, c := range cases {
		requireRefused(t, c.want, c.env, c.args...)
	}
	require.Contains(t, output(t, l.remote(), "why", id, "--url", l.URL), "· shop\n", "the key sees one of the two projects")
}
