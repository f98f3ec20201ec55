package contracttest

import (
	"fmt"
	"net/http"
	"strings"
)

// The routes for other agents' formats, and those with the key in the path.
const (
	xhguiRoute          = "POST /run/import"
	xhguiKeyRoute       = "POST /k/{key}/run/import"
	buggregatorRoute    = "POST /api/profiler/store"
	buggregatorKeyRoute = "POST /k/{key}/api/profiler/store"
)

// xhguiProfile is a body of php-profiler's, with an id of its own.
func xhguiProfile() string {
	return `{"profile":{"main()":{"ct":1,"wt":1216}},"meta":{"url":"/orders/7?page=17","SERVER":{"UNIQUE_ID":"{uuid}","REQUEST_TIME_FLOAT":{now}}}}`
}

// buggregatorProfile is a body of Buggregator's client, with an id of its own.
func buggregatorProfile() string {
	return `{"profile":{"main()":{"ct":1,"wt":1216}},"tags":{"trace_id":"{uuid}"},"app_name":"shop","hostname":"web","date":{now}}`
}

// xhguiFailure is an error as php-profiler knows it.
func xhguiFailure(message string) string {
	return fmt.Sprintf(`{"error":true,"message":%s}`, quote(message))
}

// places are the cases of a key wherever a client can have it. stored is what comes back of a profile that is stored.
func places(path, profile, stored, none string, failure func(string) string) []Case {
	bearer := map[string]string{"WWW-Authenticate": "Bearer"}
	const (
		unknown = "Unknown API key: send one that the listener has for the project"
		two     = "Two different API keys in one request: send one"
	)
	basic := map[string]string{"Authorization": "{basic}"}
	in := func(key string) string { return "POST /k/" + key + path }
	refused := func(name, route string, header map[string]string, why string) Case {
		return Case{Name: name, Route: route, Header: header, Body: profile, Status: 401, Answer: failure(why), Returns: bearer}
	}
	return []Case{
		{Name: "a bearer", Route: "POST " + path, Body: profile, Status: 200, Answer: stored, Stores: 1},
		{Name: "Basic", Route: "POST " + path, Header: basic, Body: profile, Status: 200, Answer: stored, Stores: 1},
		{Name: "in the path", Route: in("{key}"), Header: noKey, Body: profile, Status: 200, Answer: stored, Stores: 1},
		{Name: "in the path and as a bearer", Route: in("{key}"), Body: profile, Status: 200, Answer: stored, Stores: 1},
		refused("no key", "POST "+path, noKey, none),
		refused("an unknown key", "POST "+path, map[string]string{"Authorization": "Bearer wrong"}, unknown),
		refused("Basic that is none", "POST "+path, map[string]string{"Authorization": "Basic {key}"}, none),
		refused("an unknown key in the path", in("wrong"), noKey, unknown),
		refused("two keys", in("wrong"), basic, two),
		{Name: "GET", Route: "GET " + path, Status: 405, Returns: map[string]string{"Allow": "POST"}},
		{Name: "GET with the key in the path", Route: "GET /k/{key}" + path, Header: noKey, Status: 405, Returns: map[string]string{"Allow": "POST"}},
		{Name: "an empty key in the path", Route: "POST /k/" + path, Body: profile, Status: 404},
		{Name: "the key alone", Route: "POST /k/{key}", Body: profile, Status: 404},
	}
}

// both makes a case of each for the route with the key in the path, too.
func both(cases []Case) (all []Case) {
	for _, c := range cases {
		all = append(all, c)
		method, path, _ := strings.Cut(c.Route, " ")
		c.Name, c.Route = c.Name+", its key in the path", method+" /k/{key}"+path
		header := map[string]string{"Authorization": ""}
		for name, value := range c.Header {
			header[name] = value
		}
		c.Header = header
		all = append(all, c)
	}
	return all
}

func xhgui() []Case {
	const (
		stored = `{"ok":true,"id":"{any}","size":29}`
		none   = `No API key: send the header "Authorization: Bearer <key>", or Basic with the key as the password, or ?token=<key> in the URL, or /k/<key> before the URL's path`
	)
	cases := places("/run/import", xhguiProfile(), stored, none, xhguiFailure)
	cases = append(cases,
		Case{Name: "the token", Route: "POST /run/import?&token={key}", Header: noKey, Body: xhguiProfile(), Status: 200, Answer: stored, Stores: 1},
		Case{Name: "the token behind a query", Route: "POST /run/import?project=shop?&token={key}", Header: noKey, Body: xhguiProfile(), Status: 200, Answer: stored, Stores: 1},
		Case{Name: "a wrong token", Route: "POST /run/import?&token=wrong", Header: noKey, Body: xhguiProfile(), Status: 401, Answer: xhguiFailure("Unknown API key: send one that the listener has for the project")},
		Case{Name: "once", Route: xhguiRoute, Body: strings.Replace(xhguiProfile(), "{uuid}", "{uuid:xhgui}", 1), Status: 200, Answer: stored, Stores: 1},
		Case{Name: "and again", Route: xhguiRoute, Body: strings.Replace(xhguiProfile(), "{uuid}", "{uuid:xhgui}", 1), Status: 200, Answer: stored},
		Case{Name: "under gzip", Route: xhguiRoute, Header: map[string]string{"Content-Encoding": "gzip"}, Body: xhguiProfile(), Encode: gzipped, Status: 200, Answer: stored, Stores: 1},
	)
	ndjson := map[string]string{"Content-Type": "application/x-ndjson"}
	return append(cases, both([]Case{
		{Name: "a file", Route: xhguiRoute, Header: ndjson, Body: xhguiProfile() + "\n" + xhguiProfile() + "\n", Status: 200, Answer: `{"ok":true,"accepted":2,"duplicates":0}`, Stores: 2},
		{Name: "a form's type", Route: xhguiRoute, Header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, Body: xhguiProfile(), Status: 200, Answer: stored, Stores: 1},
		{Name: "a file with a bad line", Route: xhguiRoute, Header: ndjson, Body: xhguiProfile() + "\n[]\n", Status: 400, Stores: 1,
			Answer: `{"error":true,"message":"1 of 2 profiles were not stored; the first is no. 1, counted from 0: must be an object with profile and meta","accepted":1,"duplicates":0,"rejected":` + array(rejected(1, "", "must be an object with profile and meta")) + "}"},
		{Name: "no meta", Route: xhguiRoute, Body: `{"profile":{}}`, Status: 400, Answer: xhguiFailure("Not stored: meta must be an object: what php-profiler knows about the request")},
		{Name: "not JSON", Route: xhguiRoute, Body: "{", Status: 400, Answer: xhguiFailure("The body is not JSON at or behind byte 0, counted from 0; send what php-profiler sends, a profile a body or a line")},
		{Name: "not gzip", Route: xhguiRoute, Header: map[string]string{"Content-Encoding": "gzip"}, Body: "{}", Status: 400},
		{Name: "over 4 MiB", Route: xhguiRoute, Body: xhguiProfile(), Encode: padded(maxWire + 1), Status: 413, Answer: xhguiFailure("The body is over 4194304 bytes; send fewer records at a time, or compress it")},
		{Name: "an unknown encoding", Route: xhguiRoute, Header: map[string]string{"Content-Encoding": "br"}, Body: "{}", Status: 415, Answer: xhguiFailure("Unsupported Content-Encoding: send gzip, zstd, or none")},
	})...)
}

func buggregator() []Case {
	const (
		stored = `{"status":true}`
		none   = `No API key: send the header "Authorization: Bearer <key>", or Basic with the key as the password, or /k/<key> before the URL's path`
	)
	cases := places("/api/profiler/store", buggregatorProfile(), stored, none, failure)
	cases = append(cases,
		Case{Name: "a token, which is none here", Route: buggregatorRoute + "?token={key}", Header: noKey, Body: buggregatorProfile(), Status: http.StatusUnauthorized, Answer: failure(none)},
		Case{Name: "once", Route: buggregatorRoute, Body: strings.Replace(buggregatorProfile(), "{uuid}", "{uuid:buggregator}", 1), Status: 200, Answer: stored, Stores: 1},
		Case{Name: "and again", Route: buggregatorRoute, Body: strings.Replace(buggregatorProfile(), "{uuid}", "{uuid:buggregator}", 1), Status: 200, Answer: stored},
	)
	return append(cases, both([]Case{
		{Name: "no profile", Route: buggregatorRoute, Body: "{}", Status: 400, Answer: failure("Not stored: profile must be an object of edges")},
		{Name: "not JSON", Route: buggregatorRoute, Body: "{", Status: 400, Answer: failure("The body is not JSON at or behind byte 0, counted from 0; send what Buggregator's profiler client sends")},
		{Name: "over 4 MiB", Route: buggregatorRoute, Body: buggregatorProfile(), Encode: padded(maxWire + 1), Status: 413, Answer: failure("The body is over 4194304 bytes; send fewer records at a time, or compress it")},
		{Name: "an unknown encoding", Route: buggregatorRoute, Header: map[string]string{"Content-Encoding": "br"}, Body: "{}", Status: 415, Answer: failure("Unsupported Content-Encoding: send gzip, zstd, or none")},
	})...)
}

// limitedKey are the answers to a key that is for other routes than these.
func limitedKey() []Case {
	const why = "The key is for /nowhere alone; nothing was stored"
	limited := map[string]string{"Authorization": "Bearer {limited}"}
	in := func(route string) string { return strings.Replace(route, "{key}", "{limited}", 1) }
	return []Case{
		{Name: "php", Header: limited, Body: php(), Status: 403, Answer: failure(why)},
		{Name: "postgres", Route: postgresRoute, Header: limited, Body: "not read", Status: 403, Answer: failure(why)},
		{Name: "refusals", Route: "GET /refusals", Header: limited, Status: 403, Answer: failure(why)},
		{Name: "php-profiler", Route: xhguiRoute, Header: limited, Body: xhguiProfile(), Status: 403, Answer: xhguiFailure(why)},
		{Name: "php-profiler, in the path", Route: in(xhguiKeyRoute), Header: noKey, Body: xhguiProfile(), Status: 403, Answer: xhguiFailure(why)},
		{Name: "OTLP", Route: otlpRoute, Header: limited, Body: "not read", Status: 403, Answer: failure(why)},
		{Name: "OTLP, in the path", Route: in(otlpKeyRoute), Header: noKey, Body: "not read", Status: 403, Answer: failure(why)},
		{Name: "Buggregator's client", Route: buggregatorRoute, Header: limited, Body: buggregatorProfile(), Status: 403, Answer: failure(why)},
		{Name: "Buggregator's client, in the path", Route: in(buggregatorKeyRoute), Header: noKey, Body: buggregatorProfile(), Status: 403, Answer: failure(why)},
	}
}
