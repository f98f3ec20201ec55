package jsonvalue

import (
	"bytes"
	"encoding/json"
)

// Object is a JSON object that is being written, its members in the order in which they are added.
type Object struct{ text []byte }

// Text adds a member that is a string, unless that is empty.
func (o *Object) Text(name, text string) {
	if text != "" {
		o.add(name)
		o.text = appendString(o.text, text)
	}
}

// Value adds a member with a value as it is, unless that is nil.
func (o *Object) Value(name string, v Value) {
	if v != nil {
		o.add(name)
		o.text = append(o.text, v...)
	}
}

func (o *Object) add(name string) {
	o.text = append(o.text, "{,"[min(len(o.text), 1)])
	o.text = append(appendString(o.text, name), ':')
}

// JSON returns the object, nil when it has no members. Nothing may be added after that.
func (o *Object) JSON() []byte {
	if o.text == nil {
		return nil
	}
	return append(o.text, '}')
}

// appendString appends a text as a JSON string, with no more escapes than JSON asks for.
func appendString(b []byte, text string) []byte {
	buf := bytes.NewBuffer(b)
	e := json.NewEncoder(buf)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a string into memory
	return bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
}
