package contracttest

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

// readers are who may read, and who may not.
func readers() []Case {
	const (
		none    = `No read key: send the header "Authorization: Bearer <read key>"`
		unknown = "Unknown read key: use one that the listener has; a key to send records with reads nothing"
	)
	bearer := map[string]string{"WWW-Authenticate": "Bearer"}
	var cases []Case
	for _, page := range readPages {
		ask := func(name, query string, header map[string]string, status int, answer string, returns map[string]string) {
			cases = append(cases, Case{Name: page + ", " + name, Route: "GET " + page + query, Header: header, Status: status, Answer: answer, Returns: returns})
		}
		ask("no key", "", noKey, 401, failure(none), bearer)
		ask("a wrong key", "", map[string]string{"Authorization": "Bearer {key:read}x"}, 401, failure(unknown), bearer)
		ask("a wrong key of a browser", "", map[string]string{"Authorization": "Bearer x", "Accept": htmlType}, 401, "", bearer)
		ask("an API key", "", map[string]string{}, 401, failure(unknown), bearer)
		ask("an API key in the address", "?key={key}", noKey, 401, failure(unknown), bearer)
		ask("a browser without a session", "", map[string]string{"Authorization": "", "Accept": htmlType}, 303, "", nil)
		ask("the key as a password", "", map[string]string{"Authorization": "Basic {key:basic}"}, 200, "", nil)
		ask("the key in the address", "?key={key:read}", noKey, 303, "", map[string]string{"Location": page})
		ask("the session that it gave", "", map[string]string{"Authorization": "", "Cookie": "{session}"}, 200, "", nil)
	}
	return append(cases,
		Case{Name: "a read key stores nothing", Header: readKey, Body: php(), Status: 401},
		Case{Name: "a session stores nothing", Header: map[string]string{"Authorization": "", "Cookie": "{session}"}, Body: php(), Status: 401})
}

// anotherProject holds that what is another project's, and what is nowhere, have one answer.
func anotherProject() []Case {
	var cases []Case
	for _, project := range []string{"{project:other}", "nobody"} {
		for _, page := range readPages[1:] {
			page := "/traces/" + project + page[len("/traces/{project}"):]
			for _, header := range []map[string]string{readKey, browser} {
				c := Case{Name: fmt.Sprint(page, " ", header["Accept"]), Route: "GET " + page, Header: header, Status: 404}
				if header["Accept"] == "" {
					c.Answer = failure("Not found")
				}
				cases = append(cases, c)
			}
		}
	}
	for _, id := range []string{"theirs", "nobodys"} {
		for _, page := range []string{"/traces/{uuid:" + id + "}", "/traces/{project}/{uuid:" + id + "}", "/traces/{project:other}/{uuid:" + id + "}/profile"} {
			cases = append(cases, Case{Name: page, Route: "GET " + page, Header: readKey, Status: 404, Answer: failure("Not found")})
		}
	}
	return append(cases, Case{Name: "who has no key learns nothing", Route: "GET /traces/{project:other}/{uuid:theirs}", Header: noKey, Status: 401},
		Case{Name: "of nothing", Route: "GET /traces/nobody/{uuid:nobodys}", Header: noKey, Status: 401})
}

func parameters() []Case {
	const (
		since = "since is a span as in 30m, 24h or 7d: at least a second and at most 90d"
		limit = "limit is a number from 1 to 500"
	)
	var cases []Case
	for _, c := range []struct{ page, answer string }{
		{"/traces/?q=nothing", "There is no correlation id in what was searched for: it is a UUID or 32 hexadecimal digits, and may stand in a longer line"},
		{"/traces/{project}/requests?since=1", since}, {"/traces/{project}/requests?since=91d", since}, {"/traces/{project}/requests?limit=0", limit},
		{"/traces/{project}/routes?since=x", since}, {"/traces/{project}/routes?limit=501", limit},
		{"/traces/{project}/routes/" + productKey + "?since=-1h", since},
		{"/traces/{project}/statements?since=0d", since}, {"/traces/{project}/statements?limit=x", limit},
		{"/traces/{project}/statements/" + selectKey + "?since=1ms", since},
		{"/traces/{project}/" + product + "/profile?function=0", "function is the place of one in the list, from 1"},
	} {
		cases = append(cases,
			Case{Name: c.page, Route: "GET " + c.page, Header: readKey, Status: 400, Answer: failure(c.answer)},
			Case{Name: c.page + ", HTML", Route: "GET " + c.page, Header: browser, Status: 400})
	}
	for _, page := range []string{"/routes/" + selectKey, "/statements/" + productKey, "/" + product + "/plan/0", "/" + product + "/plan/99", "/" + product + "/profile?function=9999", "/nothing"} {
		cases = append(cases, Case{Name: page, Route: "GET /traces/{project}" + page, Header: readKey, Status: 404, Answer: failure("Not found")})
	}
	return cases
}

// elsewhere are paths that lead to the usual one.
func elsewhere() []Case {
	const look, upper = "/traces/{project}/" + product, "E8673BF28014425E8DCD18F64F8C3668"
	var cases []Case
	for from, to := range map[string]string{
		"/traces": "/traces/",
		"/traces/?q=[error]%20trace=" + upper + "%20": "/traces/" + product,
		"/traces/" + product:                          look,
		"/traces/" + upper:                            look,
		"/traces/{project}/" + upper:                  look,
		"/traces/{project}/" + upper + "/profile":     look + "/profile",
		"/traces/{project}/" + upper + "/plan/2":      look + "/plan/2",
		"/traces/logout":                              "/traces/login",
	} {
		cases = append(cases, Case{Name: from, Route: "GET " + from, Header: readKey, Status: 303, Returns: map[string]string{"Location": to}})
	}
	return append(cases,
		Case{Name: "a browser that sees one project", Route: "GET /traces/", Header: browser, Status: 303, Returns: map[string]string{"Location": "/traces/{project}"}},
		Case{Name: "to the form and back", Route: "GET /traces/{project}/requests?since=7d", Header: map[string]string{"Authorization": "", "Accept": htmlType}, Status: 303,
			Returns: map[string]string{"Location": "/traces/login?next=%2Ftraces%2F{project}%2Frequests%3Fsince%3D7d"}})
}

func sessions() []Case {
	form := func(name, path, body, accept, site string, status int, to string) Case {
		c := Case{Name: name, Route: "POST /traces/" + path, Body: body, Status: status, Header: map[string]string{
			"Authorization": "", "Content-Type": "application/x-www-form-urlencoded", "Accept": accept, "Sec-Fetch-Site": site}}
		if to != "" {
			c.Returns = map[string]string{"Location": to}
		}
		return c
	}
	session := map[string]string{"Authorization": "", "Cookie": "{session}"}
	return []Case{
		{Name: "the form", Route: "GET /traces/login", Header: noKey, Status: 200},
		form("log in", "login", "key={key:read}&next=/traces/{project}/routes", htmlType, "same-origin", 303, "/traces/{project}/routes"),
		{Name: "logged in", Route: "GET /traces/{project}", Header: session, Status: 200},
		form("log out", "logout", "", htmlType, "same-origin", 303, "/traces/login"),
		{Name: "logged out", Route: "GET /traces/{project}", Header: session, Status: 401},
		form("log in, and on to another host", "login", "key={key:read}&next=https://example.com/traces/", htmlType, "same-origin", 303, "/traces/"),
		form("a wrong key", "login", "key=wrong", htmlType, "", 401, ""),
		form("a wrong key of a program", "login", "key=wrong", "", "", 401, ""),
		form("an API key", "login", "key={key}", htmlType, "", 401, ""),
		form("no form", "login", "key=%zz", htmlType, "", 400, ""),
		form("another site's form", "login", "key={key:read}", htmlType, "cross-site", 403, ""),
		form("another site's button", "logout", "", htmlType, "cross-site", 403, ""),
	}
}

func methodsOfPages() []Case {
	var cases []Case
	for _, page := range append([]string{"/traces", "/traces/login", "/traces/logout"}, readPages...) {
		cases = append(cases, Case{Name: page, Route: "DELETE " + page, Header: readKey, Status: 405})
	}
	return cases
}

// RunReadingThrottled sends wrong read keys until the listener has enough of them, and then a good one. failures is how
// many it takes from one address.
func RunReadingThrottled(t *testing.T, target Target, reader Reader, failures int) {
	r := newRun(target)
	r.reader = reader
	wrong := map[string]string{"Authorization": "Bearer wrong"}
	const wait = "Too many wrong read keys from this address; set the right key, and wait"
	var enough, more []Case
	for n := range failures {
		enough = append(enough, Case{Name: fmt.Sprint(n), Route: "GET /traces/", Header: wrong, Status: 401})
	}
	for _, page := range readPages {
		more = append(more, Case{Name: page, Route: "GET " + page, Header: wrong, Status: 429, Answer: failure(wait)})
	}
	more = append(more,
		Case{Name: "the form", Route: "POST /traces/login", Header: map[string]string{"Authorization": "", "Content-Type": "application/x-www-form-urlencoded"}, Body: "key=wrong", Status: 429, Answer: failure(wait)},
		Case{Name: "a browser", Route: "GET /traces/", Header: map[string]string{"Authorization": "Bearer wrong", "Accept": htmlType}, Status: 429},
		Case{Name: "the right key", Route: "GET /traces/", Header: readKey, Status: 200},
		Case{Name: "agents are not held up", Body: php(), Status: 200})
	r.groups(t, group{"wrong read keys", enough}, group{"then", more})
}

// RunReadingFailing asks listeners for pages whose store is too slow, or fails.
func RunReadingFailing(t *testing.T, reader Reader, target func(*testing.T, FailingStore) Target) {
	for _, f := range []struct {
		name   string
		err    error
		status int
		answer string
	}{
		{"a store that is too slow", fmt.Errorf("secret: %w", context.DeadlineExceeded), 503, "Busy: the page would have taken too long; try again, or ask for a shorter span"},
		{"a store that fails", errors.New("secret: SELECT"), 500, "Internal error: it is in the listener's log under this answer's X-Request-Id"},
	} {
		r := newRun(target(t, func() error { return f.err }))
		r.reader = reader
		var cases []Case
		for _, page := range readPages {
			cases = append(cases, Case{Name: page, Route: "GET " + page, Header: readKey, Status: f.status, Answer: failure(f.answer)},
				Case{Name: page + ", HTML", Route: "GET " + page, Header: browser, Status: f.status})
		}
		r.groups(t, group{f.name, cases})
	}
}
