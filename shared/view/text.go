package view

import (
	"encoding/json"
	"strings"

	"github.com/bitville/listener/shared/store"
)

// maxText bounds a text of a list, in bytes.
const maxText = 1 << 10

// clip cuts a text to maxText, never within a rune.
func clip(text string) string {
	if len(text) <= maxText {
		return text
	}
	return strings.ToValidUTF8(text[:maxText], "") + "…"
}

// attributes are the other fields of a record, by name.
type attributes map[string]json.RawMessage

func attributesOf(e *store.Entry) (a attributes) {
	if json.Unmarshal([]byte(e.Attributes), &a) != nil {
		return nil
	}
	return a
}

// text returns an attribute that is a string, else "".
func (a attributes) text(name string) (text string) {
	if json.Unmarshal(a[name], &text) != nil {
		return ""
	}
	return text
}

// id returns an integer or a string that holds one, as digits.
func (a attributes) id(name string) string {
	if raw := a[name]; len(raw) > 0 && raw[0] != '"' {
		return string(raw)
	}
	return a.text(name)
}
