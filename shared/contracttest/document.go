package contracttest

import (
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// documentURL names the document inside of the schema compiler, which reads nothing from there.
const documentURL = "file:///openapi.yaml"

// Document is infra/openapi.yaml. It remembers which of its answers were seen. Beside what OpenAPI defines it
// has two extensions, for what OpenAPI has no place for: x-other-methods of a path, the answers to the methods
// that are not listed, and x-other-paths of all paths.
type Document struct {
	root     any // JSON, its numbers as json.Number
	compiler *jsonschema.Compiler
	seen     map[string]bool // answers: "POST /ingest/php 200"
}

// Load reads the document from the repository that the test runs in.
func Load(t testing.TB) *Document {
	t.Helper()
	text, err := os.ReadFile(repositoryFile(t, "infra/openapi.yaml"))
	require.NoError(t, err)
	var content any
	require.NoError(t, yaml.Unmarshal(text, &content))
	text, err = json.Marshal(content)
	require.NoError(t, err, "every key must be a text: quote the statuses")
	d := &Document{compiler: jsonschema.NewCompiler(), seen: map[string]bool{}}
	d.root, err = jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	require.NoError(t, err)
	d.compiler.AssertFormat()
	require.NoError(t, d.compiler.AddResource(documentURL, d.root))
	return d
}

// node is a place in the document. Its pointer is a JSON pointer (RFC 6901) with "#" in front.
type node struct {
	pointer string
	value   any
}

// find goes down from the root, through references too. ok is false when there is no such place.
func (d *Document) find(names ...string) (n node, ok bool) {
	n, ok = node{"#", d.root}, true
	for _, name := range names {
		if n, ok = d.child(n, name); !ok {
			return n, false
		}
	}
	return n, true
}

// must is find for what has to be there.
func (d *Document) must(t testing.TB, names ...string) node {
	t.Helper()
	n, ok := d.find(names...)
	require.True(t, ok, "infra/openapi.yaml has no %s", strings.Join(names, " > "))
	return n
}

// child goes one step down, through a reference too.
func (d *Document) child(n node, name string) (child node, ok bool) {
	members, _ := n.value.(map[string]any)
	value, ok := members[name]
	if ref, is := reference(value); is {
		return d.referred(ref)
	}
	return n.member(name, value), ok
}

// referred is where a reference leads. It is one into this document, and no name of a component needs an escape.
func (d *Document) referred(ref string) (n node, ok bool) {
	return d.find(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
}

func (n node) member(name string, value any) node {
	return node{n.pointer + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name), value}
}

func reference(value any) (ref string, ok bool) {
	members, _ := value.(map[string]any)
	ref, ok = members["$ref"].(string)
	return ref, ok
}

// names lists the members of a node that is an object, in order, but for extensions.
func (n node) names() []string {
	var names []string
	members, _ := n.value.(map[string]any)
	for name := range members {
		if !strings.HasPrefix(name, "x-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// validate holds a value against the schema at a node.
func (d *Document) validate(t testing.TB, schema node, value any) error {
	t.Helper()
	compiled, err := d.compiler.Compile(documentURL + schema.pointer)
	require.NoError(t, err)
	return compiled.Validate(value)
}

// response finds what the document says of an answer. name is what Unseen calls it.
func (d *Document) response(method, path, status string) (response node, name string, ok bool) {
	if _, ok := d.find("paths", path); !ok {
		response, ok = d.find("paths", "x-other-paths", status)
		return response, "any method, other paths " + status, ok
	}
	operation := strings.ToLower(method)
	if _, ok := d.find("paths", path, operation); !ok || method == operation {
		response, ok = d.find("paths", path, "x-other-methods", status)
		return response, "other methods " + path + " " + status, ok
	}
	response, ok = d.find("paths", path, operation, "responses", status)
	return response, method + " " + path + " " + status, ok
}

// Patterns lists what the document has, "METHOD /path", but for HEAD, which is GET's.
func (d *Document) Patterns(t testing.TB) (all []string) {
	t.Helper()
	for _, path := range d.must(t, "paths").names() {
		for _, method := range d.must(t, "paths", path).names() {
			if method = strings.ToUpper(method); slices.Contains([]string{"GET", "POST", "PUT", "PATCH", "DELETE"}, method) {
				all = append(all, method+" "+path)
			}
		}
	}
	return all
}

// Unseen lists the documented answers that came back for no request: method, path and status.
func (d *Document) Unseen(t testing.TB) (unseen []string) {
	t.Helper()
	note := func(method, path string, responses node) {
		for _, status := range responses.names() {
			_, name, ok := d.response(method, path, status)
			require.True(t, ok, name)
			if !d.seen[name] {
				unseen = append(unseen, name)
			}
		}
	}
	const other = "OTHER"
	note(other, "/other", d.must(t, "paths", "x-other-paths"))
	for _, path := range d.must(t, "paths").names() {
		note(other, path, d.must(t, "paths", path, "x-other-methods"))
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions, http.MethodTrace} {
			if responses, ok := d.find("paths", path, strings.ToLower(method), "responses"); ok {
				note(method, path, responses)
			}
		}
	}
	return unseen
}
