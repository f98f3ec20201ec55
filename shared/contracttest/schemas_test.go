package contracttest

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/look"
	"github.com/bitville/listener/shared/view"
)

// The schema of each page has the fields of the page's struct, those that are rarely there too, and requires those that
// always are.
func TestSchemasOfPages(t *testing.T) {
	d := Load(t)
	checked := map[string]bool{}
	for name, page := range map[string]any{
		"Projects": view.Projects{}, "Overview": view.Overview{}, "Requests": view.Requests{}, "Routes": view.Routes{}, "Route": view.Route{},
		"Statements": view.Statements{}, "Statement": view.Statement{}, "Look": look.Look{}, "Profile": view.Profile{}, "Plan": view.Plan{},
	} {
		requireFields(t, d, d.must(t, "components", "schemas", name), reflect.TypeOf(page), checked)
	}
	require.Greater(t, len(checked), 30)
}

// requireFields compares a schema with a struct, and those of its fields. A struct may have several schemas that differ in
// which of its optional fields they have.
func requireFields(t *testing.T, d *Document, schema node, of reflect.Type, checked map[string]bool) {
	if checked[schema.pointer] {
		return
	}
	checked[schema.pointer] = true
	members := schema.value.(map[string]any)
	properties, _ := d.child(schema, "properties")
	var always, all []string
	for _, field := range fieldsOf(of) {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		all = append(all, name)
		if options == "" {
			always = append(always, name)
		}
		property, ok := d.child(properties, name)
		if !ok || property.value == nil {
			require.True(t, options != "" && of == reflect.TypeFor[view.Row]() || of == reflect.TypeFor[view.Use](), "%s lacks %s", schema.pointer, name)
			continue
		}
		inner := field.Type
		for inner.Kind() == reflect.Pointer || inner.Kind() == reflect.Slice {
			if inner.Kind() == reflect.Slice {
				property, _ = d.child(property, "items")
			}
			inner = inner.Elem()
		}
		if _, is := reflect.Zero(inner).Interface().(json.Marshaler); inner.Kind() == reflect.Struct && !is {
			requireFields(t, d, property, inner, checked)
		}
	}
	var required []string
	for _, name := range d.list(schema, "required") {
		required = append(required, name.(string))
	}
	slices.Sort(always)
	slices.Sort(required)
	require.Equal(t, always, required, "%s: what is always there", schema.pointer)
	require.Subset(t, all, properties.names(), schema.pointer)
	require.Equal(t, false, members["additionalProperties"], schema.pointer)
}

// fieldsOf lists the fields that JSON has, those of embedded structs too.
func fieldsOf(of reflect.Type) (fields []reflect.StructField) {
	for field := range of.Fields() {
		switch tag := field.Tag.Get("json"); {
		case field.Anonymous && tag == "":
			fields = append(fields, fieldsOf(field.Type)...)
		case tag != "" && tag != "-":
			fields = append(fields, field)
		}
	}
	return fields
}
