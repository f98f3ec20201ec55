package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf16"
)

// JSON writes a page as the JSON that the listener answers with, in one line. Characters that are not graphic are escaped.
func (w *Writer) JSON(page any) {
	var data bytes.Buffer
	encoder := json.NewEncoder(&data)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(page)
	if err == nil && w.err == nil {
		_, err = w.w.Write(escaped(data.String()))
	}
	if w.err == nil {
		w.err = err
	}
}

func escaped(encoded string) (safe []byte) {
	for _, r := range encoded {
		switch {
		case unicode.IsGraphic(r) || r == '\n': // the one at the end: those in texts are escaped
			safe = append(safe, string(r)...)
		case r <= 0xffff:
			safe = fmt.Appendf(safe, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			safe = fmt.Appendf(safe, `\u%04x\u%04x`, high, low)
		}
	}
	return safe
}
