package contracttest

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestOpenAPIExamples holds every example of the document against the schema that it is an example of. That
// the examples of request bodies are taken is a part of the table.
func TestOpenAPIExamples(t *testing.T) {
	d := Load(t)
	bodies, others := 0, 0
	d.walk(node{"#", d.root}, func(n node) {
		schema, has := d.child(n, "schema")
		if !has {
			for i := range d.list(n, "examples") { // a schema's own
				require.NoError(t, d.validate(t, n, d.list(n, "examples")[i]), "%s, example %d", n.pointer, i)
				others++
			}
			return
		}
		var examples []any
		if one, ok := d.child(n, "example"); ok {
			examples = append(examples, one.value)
		}
		named, _ := d.child(n, "examples")
		for _, name := range named.names() {
			example, _ := d.child(named, name)
			value, ok := d.child(example, "value")
			require.True(t, ok, example.pointer)
			examples = append(examples, value.value)
		}
		for i, example := range examples {
			require.NoError(t, d.validate(t, schema, example), "%s, example %d", n.pointer, i)
		}
		if strings.Contains(n.pointer, "/content/") {
			require.NotEmpty(t, examples, "%s has no example", n.pointer)
			bodies += len(examples)
		}
	})
	require.GreaterOrEqual(t, bodies, 20)
	require.GreaterOrEqual(t, others, 5)
}

// TestOpenAPIReferences expects that each reference leads somewhere, and that somebody refers to each component.
func TestOpenAPIReferences(t *testing.T) {
	d := Load(t)
	used := map[string]bool{}
	d.walk(node{"#", d.root}, func(n node) {
		ref, ok := reference(n.value)
		if !ok {
			return
		}
		used[ref] = true
		_, found := d.referred(ref)
		require.True(t, found, "%s refers to %s", n.pointer, ref)
	})
	for _, kind := range []string{"parameters", "headers", "requestBodies", "responses", "schemas"} {
		for _, name := range d.must(t, "components", kind).names() {
			require.True(t, used["#/components/"+kind+"/"+name], "nobody uses %s %s", kind, name)
		}
	}
}

// walk calls f for every object of the document, where it stands: references are not followed.
func (d *Document) walk(n node, f func(node)) {
	switch v := n.value.(type) {
	case map[string]any:
		f(n)
		for _, name := range slices.Sorted(maps.Keys(v)) {
			d.walk(n.member(name, v[name]), f)
		}
	case []any:
		for i, element := range v {
			d.walk(n.member(strconv.Itoa(i), element), f)
		}
	}
}

// list is a member that is an array.
func (d *Document) list(n node, name string) []any {
	child, _ := d.child(n, name)
	elements, _ := child.value.([]any)
	return elements
}
