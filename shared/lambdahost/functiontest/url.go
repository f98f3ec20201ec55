package functiontest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// What the events of a URL say of it and of its client.
const (
	SourceIP   = "203.0.113.9"
	domain     = "abcdefghijklmnopqrstuvwxyz012345.lambda-url.eu-central-1.on.aws"
	streamType = "application/vnd.awslambda.http-integration-response"
)

// ServeHTTP is the function's URL.
func (r *Runtime) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	serveURL(w, req, r.cfg.MaxEvent, r.Invoke)
}

// URL is the URL of a function that runs in the test's process. Its events may have any size.
func URL(invoke func(event []byte) Answer) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serveURL(w, r, 1<<30, invoke)
	})
}

// serveURL makes a request an event and an answer a response, by InvokeMode RESPONSE_STREAM.
func serveURL(w http.ResponseWriter, r *http.Request, maxEvent int, invoke func([]byte) Answer) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	id := newID()
	w.Header().Set("X-Amzn-RequestId", id)
	event := Event(r, body, id)
	if len(event) > maxEvent {
		own(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	answer := invoke(event)
	prelude, rest, ok := bytes.Cut(answer.Body, make([]byte, 8))
	var head struct {
		StatusCode int               `json:"statusCode"`
		Headers    map[string]string `json:"headers"`
		Cookies    []string          `json:"cookies"`
	}
	if !ok || answer.ContentType != streamType || !answer.Chunked || json.Unmarshal(prelude, &head) != nil {
		own(w, http.StatusBadGateway, "Internal Server Error")
		return
	}
	// From here on the client has the status: what fails later shows as a body that ends early.
	for name, value := range head.Headers {
		w.Header().Set(name, value)
	}
	for _, cookie := range head.Cookies {
		w.Header().Add("Set-Cookie", cookie)
	}
	w.WriteHeader(head.StatusCode)
	_, _ = w.Write(rest)
}

// own writes an answer of the service itself.
func own(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"Message": message})
}

// Event is a request as a function URL sends it, in version 2.0 of the payload format:
// docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
func Event(r *http.Request, body []byte, id string) []byte {
	headers := map[string]string{
		"host":              domain,
		"x-amzn-trace-id":   "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700",
		"x-forwarded-for":   SourceIP,
		"x-forwarded-port":  "443",
		"x-forwarded-proto": "https",
	}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		switch name {
		case "Connection", "Cookie", "Expect", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade":
		default:
			headers[strings.ToLower(name)] = strings.Join(r.Header[name], ",")
		}
	}
	now := time.Now().UTC()
	event := map[string]any{
		"version":        "2.0",
		"routeKey":       "$default",
		"rawPath":        r.URL.EscapedPath(),
		"rawQueryString": r.URL.RawQuery,
		"headers":        headers,
		"requestContext": map[string]any{
			"accountId":    "anonymous",
			"apiId":        domain[:32],
			"domainName":   domain,
			"domainPrefix": domain[:32],
			"requestId":    id,
			"routeKey":     "$default",
			"stage":        "$default",
			"time":         now.Format("02/Jan/2006:15:04:05 -0700"),
			"timeEpoch":    now.UnixMilli(),
			"http": map[string]string{
				"method":    r.Method,
				"path":      r.URL.Path,
				"protocol":  "HTTP/1.1",
				"sourceIp":  SourceIP,
				"userAgent": r.UserAgent(),
			},
		},
		"isBase64Encoded": false,
	}
	if cookies := r.Header.Values("Cookie"); len(cookies) > 0 {
		event["cookies"] = strings.Split(strings.Join(cookies, "; "), "; ")
	}
	if query := r.URL.Query(); len(query) > 0 {
		parameters := map[string]string{}
		for name, values := range query {
			parameters[name] = strings.Join(values, ",")
		}
		event["queryStringParameters"] = parameters
	}
	switch {
	case len(body) == 0:
	case isText(r, body):
		event["body"] = string(body)
	default:
		event["body"], event["isBase64Encoded"] = base64.StdEncoding.EncodeToString(body), true
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	_ = e.Encode(event) // texts, numbers and maps of them
	return bytes.TrimSuffix(text.Bytes(), []byte("\n"))
}

// isText tells whether a body travels as it is. All others are sent as base64.
func isText(r *http.Request, body []byte) bool {
	if r.Header.Get("Content-Encoding") != "" || !utf8.Valid(body) {
		return false
	}
	contentType, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	switch contentType = strings.ToLower(strings.TrimSpace(contentType)); contentType {
	case "application/json", "application/javascript", "application/xml":
		return true
	}
	return strings.HasPrefix(contentType, "text/")
}
