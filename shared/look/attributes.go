package look

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/bitville/listener/shared/mask"
)

// attributes are the other fields of a record, by name. A value of another type than expected counts as missing.
type attributes map[string]json.RawMessage

func parseAttributes(text string) (a attributes) {
	if json.Unmarshal([]byte(text), &a) != nil {
		return nil
	}
	return a
}

// number returns a number that is not negative, nil for anything else.
func (a attributes) number(name string) *float64 {
	x, err := strconv.ParseFloat(string(a[name]), 64)
	if err != nil {
		return nil
	}
	return known(x)
}

// count returns a whole number of things.
func (a attributes) count(name string) (n int, ok bool) {
	x, err := strconv.ParseUint(string(a[name]), 10, 31)
	return int(x), err == nil
}

func (a attributes) text(name string) (s string) {
	if json.Unmarshal(a[name], &s) != nil {
		return ""
	}
	return s
}

// id returns an integer or a string that holds one, as digits.
func (a attributes) id(name string) string {
	if raw := a[name]; len(raw) > 0 && raw[0] != '"' {
		return string(raw)
	}
	return a.text(name)
}

func (a attributes) is(name string) bool { return string(a[name]) == "true" }

// Attribute is one other field of PHP's record.
type Attribute struct {
	Name   string `json:"name"`
	Value  string `json:"value,omitzero"`  // JSON, or the text itself where it is a string
	Masked bool   `json:"masked,omitzero"` // the name says that the value is a secret, or a part of it was taken out
}

// list fills Attributes.
func (l *Look) list(a attributes, options Options) {
	for _, name := range slices.Sorted(maps.Keys(a)) {
		if len(l.Attributes) == maxAttributes {
			l.note("%s more attributes are left out.", count(len(a)-maxAttributes))
			return
		}
		var value any
		decoder := json.NewDecoder(bytes.NewReader(a[name]))
		decoder.UseNumber() // a 64-bit integer does not pass through a float
		if decoder.Decode(&value) != nil {
			continue
		}
		masked := false
		if !options.Values {
			value, masked = hide(name, value)
		}
		text, ok := value.(string)
		if !ok && value != nil {
			text = compact(value)
		}
		l.Attributes = append(l.Attributes, Attribute{clip(name, shortText), clip(text, maxTextBytes), masked})
	}
}

func compact(value any) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false) // who renders it escapes
	_ = encoder.Encode(value)
	return strings.TrimSpace(b.String())
}

// hide takes out secrets by their names, at any depth, and the values of query strings.
func hide(name string, value any) (any, bool) {
	if mask.Secret(name) {
		return nil, true
	}
	masked := false
	switch v := value.(type) {
	case string:
		if strings.HasPrefix(v, "/") || strings.Contains(v, "://") {
			value = mask.URI(v)
			masked = value != v
		}
	case []any:
		for i := range v {
			var m bool
			v[i], m = hide("", v[i])
			masked = masked || m
		}
	case map[string]any:
		for key := range v {
			var m bool
			v[key], m = hide(key, v[key])
			masked = masked || m
		}
	}
	return value, masked
}
