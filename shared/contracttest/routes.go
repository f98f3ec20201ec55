package contracttest

import (
	"net/http"
	"strings"
)

// noKey leaves the key out.
var noKey = map[string]string{"Authorization": ""}

func routes() []Case {
	const (
		notFound = `{"error":"Not found"}`
		usePOST  = `{"error":"Method not allowed: use POST"}`
		useGET   = `{"error":"Method not allowed: use GET, HEAD"}`
		isReady  = `{"ready":true,"uptime":"{any}","version":"{any}","database":"ok"}`
		query    = "?verbose=1&x=%20"
	)
	var (
		allowPOST = map[string]string{"Allow": "POST"}
		allowGET  = map[string]string{"Allow": "GET, HEAD"}
		asText    = map[string]string{"Content-Type": "text/plain; charset=utf-8"}
		asJSON    = map[string]string{"Content-Type": "application/json"}
	)
	return []Case{
		{Name: "a PHP record", Route: "POST /ingest/php", Body: php(), Status: 200, Answer: accepted(1), Returns: asJSON},
		{Name: "a Postgres record", Route: "POST /ingest/postgres", Body: postgres(), Status: 200, Answer: accepted(1), Returns: asJSON},
		{Name: "a query string changes nothing", Route: "POST /ingest/php" + query, Body: php(), Status: 200, Answer: accepted(1)},
		{Name: "a PHP record for Postgres", Route: "POST /ingest/postgres", Body: php(), Status: 400, Answer: invalid("query", "is required; it has request_uri: send it to /ingest/php")},
		{Name: "a Postgres record for PHP", Route: "POST /ingest/php", Body: postgres(), Status: 400, Answer: invalid("request_uri", "is required; it has query: send it to /ingest/postgres")},

		{Name: "health", Route: "GET /health", Header: noKey, Status: 200, Returns: asText},
		{Name: "health, HEAD", Route: "HEAD /health", Header: noKey, Status: 200, Returns: asText},
		{Name: "health with a query string", Route: "GET /health" + query, Header: noKey, Status: 200},
		{Name: "ready", Route: "GET /ready", Header: noKey, Status: 200, Answer: isReady, Returns: asJSON},
		{Name: "ready, HEAD", Route: "HEAD /ready", Header: noKey, Status: 200, Returns: asJSON},

		{Name: "refusals", Route: "GET /refusals", Status: 200, Returns: asJSON},
		{Name: "refusals of an hour", Route: "GET /refusals?since=1h", Status: 200},
		{Name: "refusals of too long", Route: "GET /refusals?since=169h", Status: 400, Answer: failure("since is a span as in 30m or 24h: at least a minute, and at most as long as records are kept, 168h0m0s")},
		{Name: "refusals of days", Route: "GET /refusals?since=7d", Status: 400},
		{Name: "refusals without a key", Route: "GET /refusals", Header: noKey, Status: 401},
		{Name: "POST of refusals", Route: "POST /refusals", Status: 405, Answer: useGET, Returns: allowGET},

		{Name: "unknown path", Route: "POST /ingest/mysql", Body: php(), Status: 404, Answer: notFound, Returns: asJSON},
		{Name: "unknown path, no key, no POST", Route: "GET /ingest/mysql", Header: noKey, Status: 404, Answer: notFound},
		{Name: "unknown path, HEAD", Route: "HEAD /ingest", Status: 404, Returns: asJSON},
		{Name: "slash at the end", Route: "POST /ingest/php/", Body: php(), Status: 404, Answer: notFound},
		{Name: "two slashes", Route: "POST //ingest/php", Body: php(), Status: 404, Answer: notFound},
		{Name: "dots", Route: "POST /ingest/../ingest/php", Body: php(), Status: 404, Answer: notFound},
		{Name: "an escaped slash", Route: "POST /ingest%2Fphp", Body: php(), Status: 404, Answer: notFound},
		{Name: "an escaped letter", Route: "POST /ingest/ph%70", Body: php(), Status: 404, Answer: notFound},
		{Name: "upper case", Route: "POST /INGEST/PHP", Body: php(), Status: 404, Answer: notFound},
		{Name: "below health", Route: "GET /health/live", Status: 404, Answer: notFound},

		{Name: "GET of ingest, no key", Route: "GET /ingest/php", Header: noKey, Status: 405, Answer: usePOST, Returns: allowPOST},
		{Name: "HEAD of ingest", Route: "HEAD /ingest/php", Status: 405, Returns: allowPOST},
		{Name: "PUT of ingest", Route: "PUT /ingest/postgres", Status: 405, Answer: usePOST, Returns: allowPOST},
		{Name: "OPTIONS of ingest", Route: "OPTIONS /ingest/php", Status: 405, Answer: usePOST, Returns: allowPOST},
		{Name: "a method in lower case", Route: "post /ingest/php", Status: 405, Answer: usePOST, Returns: allowPOST},
		{Name: "a method nobody has", Route: "RECORD /ingest/php", Status: 405, Answer: usePOST, Returns: allowPOST},
		{Name: "POST of health", Route: "POST /health", Body: php(), Status: 405, Answer: useGET, Returns: allowGET},
		{Name: "DELETE of ready", Route: "DELETE /ready", Status: 405, Answer: useGET, Returns: allowGET},
	}
}

func authentication() []Case {
	const (
		none    = `No API key: send the header "Authorization: Bearer <key>"`
		unknown = "Unknown API key: send one that the listener has for the project"
	)
	bearer := map[string]string{"WWW-Authenticate": "Bearer"}
	refused := func(name, authorization, why string) Case {
		return Case{
			Name: name, Header: map[string]string{"Authorization": authorization}, Body: php(),
			Status: http.StatusUnauthorized, Answer: failure(why), Returns: bearer,
		}
	}
	first := func(name, route string, header map[string]string, body string) Case {
		header["Authorization"] = "Bearer wrong"
		return Case{Name: name, Route: route, Header: header, Body: body, Status: 401, Answer: failure(unknown), Returns: bearer}
	}
	return []Case{
		{Name: "the scheme in lower case", Header: map[string]string{"Authorization": "bearer {key}"}, Body: php(), Status: 200, Answer: accepted(1)},
		refused("no key", "", none),
		refused("no scheme", "{key}", none),
		refused("an empty key", "Bearer ", none),
		refused("another scheme", "Basic {key}", none),
		refused("an unknown key", "Bearer wrong", unknown),
		refused("a key that goes on", "Bearer {key}x", unknown),
		refused("a key with one before it", "Bearer x{key}", unknown),
		refused("two keys", "Bearer {key}, Bearer {key}", unknown),
		{Name: "a key in the address", Route: "POST /ingest/php?key={key}&access_token={key}", Header: noKey, Body: php(), Status: 401, Answer: failure(none), Returns: bearer},
		{Name: "no key for Postgres", Route: postgresRoute, Header: noKey, Body: postgres(), Status: 401, Answer: failure(none), Returns: bearer},
		first("before the Content-Type", phpRoute, map[string]string{"Content-Type": "text/csv"}, php()),
		first("before the Content-Encoding", phpRoute, map[string]string{"Content-Encoding": "br"}, php()),
		first("before the body's JSON", postgresRoute, map[string]string{}, "{"),
	}
}

func requestIDs() []Case {
	const punctuated = `#1 !"$%&'()*+,-./09:;<=>?@AZ[\]^_az{|}~`
	longest := strings.Repeat("0123456789abcdef", 8)
	id := func(name, sent, back string) Case {
		c := Case{Name: name, Route: "GET /health", Header: map[string]string{"X-Request-Id": sent}, Status: http.StatusOK}
		if back != "" {
			c.Returns = map[string]string{"X-Request-Id": back}
		}
		return c
	}
	return []Case{
		id("the client's", "agent-7f3a-000123", "agent-7f3a-000123"),
		id("all kinds of characters", punctuated, punctuated),
		id("one character", "~", "~"),
		id("128 characters", longest, longest),
		// What is not usable is replaced; the document tells what a usable one looks like.
		id("none", "", ""),
		id("129 characters", longest+"0", ""),
		id("a letter beyond ASCII", "für", ""),
		id("a tab", "a\tb", ""),
	}
}
