package contracttest

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Case is one request and what must come back. Route, Header, Body, Answer and Returns may hold
// placeholders:
//
//	{key} {project}       the target's
//	{project:upper}       the project as another spelling of its name: also :dashes, :dots
//	{project:look-alike}  another project, whose name is this one's for who folds more than ASCII
//	{now} {now-3600}      Unix seconds at the start of the run, and 3,600 seconds before
//	{uuid} {uuid:NAME}    a new id each time, and the id that is NAME's throughout the run
//	{any}                 in Answer alone: whatever stands there
type Case struct {
	Name    string
	Route   string            // method and path; POST /ingest/php when empty
	Header  map[string]string // beside the key, or instead of it; an empty text leaves a header out
	Body    string
	Encode  func([]byte) []byte // what becomes of the body before it is sent
	Chunked bool                // the length is not announced

	Status  int
	Answer  string            // the JSON that comes back; when empty, its schema alone is asked
	Returns map[string]string // headers that come back, beside the request's id

	// BeyondSchema says that the listener refuses the record by a rule that JSON Schema cannot tell.
	BeyondSchema bool
}

const (
	phpRoute      = "POST /ingest/php"
	postgresRoute = "POST /ingest/postgres"
)

// do sends the request and holds what comes back against the case and the document.
func (r *run) do(t *testing.T, c Case) {
	if c.Route == "" {
		c.Route = phpRoute
	}
	method, path, _ := strings.Cut(r.expand(c.Route), " ")
	path, _, _ = strings.Cut(path, "?")
	req, text := r.request(t, c)
	res, err := r.Client.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, c.Status, res.StatusCode, "%s", answer)

	if c.Answer != "" {
		requireJSON(t, r.expand(c.Answer), answer)
	}
	for name, want := range c.Returns {
		require.Equal(t, []string{r.expand(want)}, res.Header.Values(name), name)
	}
	if _, own := c.Header["X-Request-Id"]; !own {
		require.Equal(t, req.Header.Get("X-Request-Id"), res.Header.Get("X-Request-Id"))
	}
	r.Document.check(t, method, path, res, answer)
	if method != http.MethodPost || res.StatusCode != http.StatusOK && res.StatusCode != http.StatusBadRequest {
		return
	}
	var outcome outcome
	require.NoError(t, json.Unmarshal(answer, &outcome))
	r.accepted += outcome.Accepted
	if c.Encode == nil && len(text) < 256<<10 {
		r.Document.checkRequest(t, path, res.Request.Header.Get("Content-Type"), text, outcome, c.BeyondSchema)
	}
}

// outcome is what an ingest route answers, be it a 200 or a 400.
type outcome struct {
	Error    string
	Accepted int
	Rejected []any
}

// request makes the case's request. text is its body before it was encoded.
func (r *run) request(t *testing.T, c Case) (req *http.Request, text []byte) {
	method, path, _ := strings.Cut(r.expand(c.Route), " ")
	text = []byte(r.expand(c.Body))
	sent := text
	if c.Encode != nil {
		sent = c.Encode(text)
	}
	var body io.Reader
	if method == http.MethodPost {
		body = bytes.NewReader(sent)
	}
	if c.Chunked {
		body = io.MultiReader(body) // net/http does not know its length
	}
	req, err := http.NewRequestWithContext(t.Context(), method, r.URL+path, body)
	require.NoError(t, err)
	r.requests++
	req.Header.Set("Authorization", "Bearer "+r.Key)
	req.Header.Set("X-Request-Id", fmt.Sprint("contract-", r.requests))
	for name, value := range c.Header {
		if value == "" {
			req.Header.Del(name)
		} else {
			req.Header.Set(name, r.expand(value))
		}
	}
	return req, text
}

var placeholder = regexp.MustCompile(`\{(key|project|now|uuid)(?::([a-z-]+)|([-+][0-9]+))?\}`)

func (r *run) expand(text string) string {
	var b strings.Builder
	end := 0
	for _, at := range placeholder.FindAllStringSubmatchIndex(text, -1) {
		part := func(n int) string {
			if at[2*n] < 0 {
				return ""
			}
			return text[at[2*n]:at[2*n+1]]
		}
		b.WriteString(text[end:at[0]])
		b.WriteString(r.value(part(1), part(2), part(3)))
		end = at[1]
	}
	return b.String() + text[end:]
}

func (r *run) value(name, variant, offset string) string {
	switch name {
	case "key":
		return r.Key
	case "project":
		return spelled(r.Project, variant)
	case "now":
		seconds, _ := strconv.ParseInt(offset, 10, 64) // 0 when there is none
		return strconv.FormatInt(r.now.Unix()+seconds, 10)
	}
	if variant == "" {
		return newUUID()
	}
	if r.ids[variant] == "" {
		r.ids[variant] = newUUID()
	}
	return r.ids[variant]
}

func spelled(project, variant string) string {
	switch variant {
	case "upper":
		return strings.ToUpper(project)
	case "dashes":
		return strings.ReplaceAll(project, "_", "-")
	case "dots":
		return strings.ReplaceAll(project, "_", ".")
	case "look-alike":
		// The long s and the Kelvin sign are s and k under Unicode's case folding.
		folded := strings.NewReplacer("s", "\u017f", "k", "\u212a").Replace(project)
		if folded == project {
			folded += "\u017f"
		}
		return folded
	}
	return project
}

// newUUID returns a random UUID (version 4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// requireJSON compares two JSON texts by what they mean. {any} in want is whatever stands there.
func requireJSON(t *testing.T, want string, got []byte) {
	canonical := func(text []byte) string {
		var v any
		require.NoError(t, json.Unmarshal(text, &v), "%s", text)
		text, err := json.MarshalIndent(v, "", "  ")
		require.NoError(t, err)
		return string(text)
	}
	wanted := canonical([]byte(want))
	if !strings.Contains(wanted, "{any}") {
		require.Equal(t, wanted, canonical(got))
		return
	}
	pattern := regexp.QuoteMeta(strings.ReplaceAll(wanted, `"{any}"`, "{any}")) // a whole value may be a number, too
	pattern = strings.ReplaceAll(pattern, regexp.QuoteMeta("{any}"), ".*")
	require.Regexp(t, "^"+pattern+"$", canonical(got))
}
