package web

import (
	"net/http"
	"strings"
)

// router finds a request's route. It is http.ServeMux without what that answers itself: what the mux would redirect to
// another path is not found, and so are "*" and the target of a CONNECT.
type router struct{ mux *http.ServeMux }

func newRouter(all []Routes) router {
	mux := http.NewServeMux()
	for _, routes := range all {
		for pattern, handle := range routes {
			_, path, _ := strings.Cut(pattern, " ")
			if strings.HasSuffix(pattern, "/") {
				pattern += "{$}" // or it would stand for all paths below, too
			}
			mux.Handle(pattern, &route{path, handle})
		}
	}
	return router{mux}
}

// route is what the mux knows of a pattern. It tells who asks, a finding, that it was met.
type route struct {
	path   string
	handle Handler
}

func (h *route) ServeHTTP(w http.ResponseWriter, _ *http.Request) { w.(*finding).route = h }

// find returns the handler of a request and the path of its pattern, "" when there is none. It sets the request's path
// values.
func (t router) find(r *http.Request) (path string, handle Handler) {
	f := finding{header: http.Header{}}
	t.mux.ServeHTTP(&f, r)
	allow := f.header.Get("Allow")
	if allow != "" { // the path is there, for other methods
		other := *r
		other.Method, _, _ = strings.Cut(allow, ",")
		t.mux.ServeHTTP(&f, &other)
	}
	// The mux takes an escaped letter for the letter.
	if f.route == nil || !strings.Contains(f.route.path, "{") && f.route.path != r.URL.EscapedPath() {
		return "", notFound
	}
	if allow != "" {
		return f.route.path, notAllowed(allow)
	}
	return f.route.path, f.route.handle
}

// finding is told by a mux which route a request met. Of what the mux answers itself it keeps the headers.
type finding struct {
	route  *route
	header http.Header
}

func (f *finding) Header() http.Header         { return f.header }
func (f *finding) Write(p []byte) (int, error) { return len(p), nil }
func (f *finding) WriteHeader(int)             {}

func notFound(*Response, *http.Request) error {
	return &Error{Status: http.StatusNotFound, Text: "Not found"}
}

func notAllowed(allow string) Handler {
	return func(*Response, *http.Request) error {
		return &Error{Status: http.StatusMethodNotAllowed, Text: "Method not allowed: use " + allow, Header: http.Header{"Allow": {allow}}}
	}
}
