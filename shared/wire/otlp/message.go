package otlp

import "google.golang.org/protobuf/encoding/protowire"

// message reads a protobuf message field by field. Nothing is copied, so that a body costs no memory but its own.
type message struct {
	rest  []byte
	field protowire.Number
	kind  protowire.Type
	content
	broken bool // it ends within a field, or is no message
}

// content is what a field holds.
type content struct {
	bytes  []byte // of type protowire.BytesType
	number uint64 // of any other
}

func read(raw []byte) message { return message{rest: raw} }

// next reads a field. It is false at the message's end, and where it is broken.
func (m *message) next() bool {
	if len(m.rest) == 0 {
		return false
	}
	number, kind, n := protowire.ConsumeTag(m.rest)
	if n < 0 {
		m.broken, m.rest = true, nil
		return false
	}
	m.field, m.kind, m.content, m.rest = number, kind, content{}, m.rest[n:]
	switch kind {
	case protowire.VarintType:
		m.number, n = protowire.ConsumeVarint(m.rest)
	case protowire.Fixed64Type:
		m.number, n = protowire.ConsumeFixed64(m.rest)
	case protowire.Fixed32Type:
		var small uint32
		small, n = protowire.ConsumeFixed32(m.rest)
		m.number = uint64(small)
	case protowire.BytesType:
		m.bytes, n = protowire.ConsumeBytes(m.rest)
	default: // a group, which nobody sends
		n = protowire.ConsumeFieldValue(number, kind, m.rest)
	}
	if n < 0 {
		m.broken, m.rest = true, nil
		return false
	}
	m.rest = m.rest[n:]
	return true
}

// is tells whether the field at hand is this one, of its type.
func (m *message) is(f *field) bool { return m.field == f.number && m.kind == f.kind.wire() }
