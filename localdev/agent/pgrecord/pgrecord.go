// Package pgrecord writes records in the listener's wire format, member by member, so that numbers stay as PostgreSQL wrote
// them.
package pgrecord

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxQuery is the longest statement, in bytes: the listener's limit.
const MaxQuery = 64 << 10

// Fields writes one JSON object.
type Fields struct{ b []byte }

// Raw adds a member whose value is JSON.
func (f *Fields) Raw(name string, value []byte) {
	if len(f.b) == 0 {
		f.b = append(f.b, '{')
	} else {
		f.b = append(f.b, ',')
	}
	f.b = append(append(append(f.b, '"'), name...), '"', ':')
	f.b = append(f.b, value...)
}

// Text adds a string, none when it is empty.
func (f *Fields) Text(name, value string) {
	if value != "" {
		f.Raw(name, quote(value))
	}
}

// Number adds a number as it is written, or null; none when it is empty.
func (f *Fields) Number(name, value string) {
	if value != "" {
		f.Raw(name, []byte(value))
	}
}

// Is adds true, none for false.
func (f *Fields) Is(name string, value bool) {
	if value {
		f.Raw(name, []byte("true"))
	}
}

// End returns the object, which has one member at least.
func (f *Fields) End() []byte { return append(f.b, '}') }

// quote writes a JSON string. What is not UTF-8 is replaced, and no character is escaped that need not be.
func quote(text string) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a string always can be
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}

// Seconds writes a time as Unix seconds with six places.
func Seconds(at time.Time) string {
	us := at.UnixMicro()
	return strconv.FormatInt(us/1e6, 10) + "." + strconv.FormatInt(1e6+us%1e6, 10)[1:]
}

// Clip cuts a text at a character.
func Clip(text string, most int) (clipped string, isCut bool) {
	if len(text) <= most {
		return text, false
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return text[:most], true
}

// Derived makes an id of what tells a statement apart: a UUID of version 8.
func Derived(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	h := hex.EncodeToString(sum[:16])
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}
