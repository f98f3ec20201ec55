package record

import "strings"

// CorrelationID returns the lower-case dashed UUID that text is: a UUID with or without its dashes, or the
// 32 hexadecimal digits of a W3C trace id. No braces, no "urn:uuid:".
func CorrelationID(text string) (id string, ok bool) {
	canonical, ok := canonicalID(text)
	if !ok {
		return "", false
	}
	return string(canonical[:]), true
}

func canonicalID(text string) (out [36]byte, ok bool) {
	dashed := len(text) == 36
	if !dashed && len(text) != 32 {
		return out, false
	}
	next := 0
	for i := range out {
		if dash := i == 8 || i == 13 || i == 18 || i == 23; dash {
			out[i] = '-'
			if !dashed {
				continue
			}
			if text[next] != '-' {
				return out, false
			}
		} else {
			h := text[next]
			if !isHex(h) {
				return out, false
			}
			if 'A' <= h && h <= 'F' {
				h += 'a' - 'A'
			}
			out[i] = h
		}
		next++
	}
	return out, true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// problemOfID says what is wrong with a correlation id, "" when it is one in its stored form.
func problemOfID(id string) string {
	if canonical, ok := canonicalID(id); !ok || string(canonical[:]) != id {
		return "must be a UUID (d37cc455-87f5-457f-b02d-86776b296414, its dashes may be left out) or a trace id of 32 hexadecimal digits" + almostID(id)
	}
	// Agents without an id send one of these, and they would put together what has nothing to do with one another.
	switch id {
	case "00000000-0000-0000-0000-000000000000":
		return "is all zeros, which stands for no id (the nil UUID of RFC 9562, no W3C trace id either); send the request's own, or make one"
	case "ffffffff-ffff-ffff-ffff-ffffffffffff":
		return "is all ones, which stands for no id (the max UUID of RFC 9562); send the request's own, or make one"
	}
	return ""
}

// almostID says which part of a text to send, where that can be told.
func almostID(text string) string {
	hex := func(s string) bool {
		for i := range len(s) {
			if !isHex(s[i]) {
				return false
			}
		}
		return true
	}
	trimmed := strings.TrimSuffix(strings.TrimPrefix(strings.TrimPrefix(strings.Trim(text, " \t\r\n"), "urn:uuid:"), "{"), "}")
	parts := strings.SplitN(text, "-", 4)
	switch _, ok := CorrelationID(trimmed); {
	case ok:
		return "; send it without what stands around it"
	case len(parts) >= 3 && len(parts[0]) == 2 && len(parts[1]) == 32 && hex(parts[1]):
		return "; it is a whole traceparent: send its second part"
	case len(parts) >= 2 && len(parts[0]) == 32 && hex(parts[0]):
		return "; it is a trace id with more behind it: send its first part"
	case len(text) == 16 && hex(text):
		return "; it is a span id, or half a trace id: send the whole trace id"
	}
	return ""
}
