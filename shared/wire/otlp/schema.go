package otlp

import "google.golang.org/protobuf/encoding/protowire"

// A schema is what OTLP says of one kind of message, as far as it is read: its fields in the order in which they are
// written. The numbers are those of trace.proto, common.proto and resource.proto, and the names those of OTLP's JSON
// (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding). One schema serves both formats, in both directions.
type schema struct {
	fields []field
	oneof  bool // one field alone is set, and one with its default value counts
}

type field struct {
	name   string
	number protowire.Number
	kind   kind
	of     *schema // of one and many
}

// A kind is what a field holds: how protobuf has it and how JSON does.
type kind uint8

const (
	text   kind = iota
	id          // bytes, in JSON hexadecimal digits
	octets      // bytes, in JSON base64
	small       // an enumeration, or an integer of 32 bits
	bits        // a fixed integer of 32 bits
	whole       // a signed integer of 64 bits, in JSON a string
	nanos       // a fixed integer of 64 bits, in JSON a string
	double
	truth
	one  // a message
	many // messages, in JSON an array
)

func (k kind) wire() protowire.Type {
	switch k {
	case small, whole, truth:
		return protowire.VarintType
	case bits:
		return protowire.Fixed32Type
	case nanos, double:
		return protowire.Fixed64Type
	}
	return protowire.BytesType
}

// field returns the field that JSON calls name, nil for one that is not known.
func (s *schema) field(name []byte) *field {
	for i := range s.fields {
		if s.fields[i].name == string(name) {
			return &s.fields[i]
		}
	}
	return nil
}

var (
	bodySchema          = &schema{fields: []field{{"resourceSpans", 1, many, resourceSpansSchema}}}
	resourceSpansSchema = &schema{fields: []field{{"resource", 1, one, resourceSchema}, {"scopeSpans", 2, many, scopeSpansSchema}}}
	scopeSpansSchema    = &schema{fields: []field{{"scope", 1, one, scopeSchema}, {"spans", 2, many, spanSchema}}}
	resourceSchema      = &schema{fields: []field{{"attributes", 1, many, attributeSchema}}}
	scopeSchema         = &schema{fields: []field{{"name", 1, text, nil}}}

	spanSchema = &schema{fields: []field{
		{"traceId", 1, id, nil}, {"spanId", 2, id, nil}, {"parentSpanId", 4, id, nil}, {"traceState", 3, text, nil}, {"flags", 16, bits, nil},
		{"name", 5, text, nil}, {"kind", 6, small, nil}, {"startTimeUnixNano", 7, nanos, nil}, {"endTimeUnixNano", 8, nanos, nil},
		{"attributes", 9, many, attributeSchema}, {"droppedAttributesCount", 10, small, nil},
		{"events", 11, many, eventSchema}, {"droppedEventsCount", 12, small, nil},
		{"links", 13, many, linkSchema}, {"droppedLinksCount", 14, small, nil},
		{"status", 15, one, statusSchema},
	}}
	eventSchema = &schema{fields: []field{
		{"timeUnixNano", 1, nanos, nil}, {"name", 2, text, nil}, {"attributes", 3, many, attributeSchema}, {"droppedAttributesCount", 4, small, nil},
	}}
	linkSchema = &schema{fields: []field{
		{"traceId", 1, id, nil}, {"spanId", 2, id, nil}, {"traceState", 3, text, nil},
		{"attributes", 4, many, attributeSchema}, {"droppedAttributesCount", 5, small, nil}, {"flags", 6, bits, nil},
	}}
	statusSchema = &schema{fields: []field{{"message", 2, text, nil}, {"code", 3, small, nil}}}

	attributeSchema, valueSchema, mapSchema = valueSchemas()
)

// valueSchemas returns those of an attribute, of its value, and of a map. A value may hold values.
func valueSchemas() (attribute, value, attributes *schema) {
	value = &schema{oneof: true}
	attribute = &schema{fields: []field{{"key", 1, text, nil}, {"value", 2, one, value}}}
	attributes = &schema{fields: []field{{"values", 1, many, attribute}}}
	values := &schema{fields: []field{{"values", 1, many, value}}}
	value.fields = []field{
		{"stringValue", 1, text, nil}, {"boolValue", 2, truth, nil}, {"intValue", 3, whole, nil}, {"doubleValue", 4, double, nil},
		{"arrayValue", 5, one, values}, {"kvlistValue", 6, one, attributes}, {"bytesValue", 7, octets, nil},
	}
	return attribute, value, attributes
}

// maxDepth is how deep messages nest: what protobuf's own readers take. A record's JSON nests one and a half times as
// deep, which is within record.MaxDepth.
const maxDepth = 100
