package profile

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// unescape appends the text of a literal to dst, up to the byte stop when it is not 0. rest is what follows that byte.
func unescape(dst, literal []byte, stop byte) (text, rest []byte) {
	for i := 0; i < len(literal); i++ {
		b := literal[i]
		if b == '\\' && i+1 < len(literal) {
			i++
			switch b = literal[i]; b {
			case 'b':
				b = '\b'
			case 'f':
				b = '\f'
			case 'n':
				b = '\n'
			case 'r':
				b = '\r'
			case 't':
				b = '\t'
			case 'u':
				r := hex4(literal[i+1:])
				i += min(4, len(literal)-i-1)
				if utf16.IsSurrogate(r) && i+2 < len(literal) && literal[i+1] == '\\' && literal[i+2] == 'u' {
					if pair := utf16.DecodeRune(r, hex4(literal[i+3:])); pair != utf8.RuneError {
						r = pair
						i += 6
					}
				}
				if r >= utf8.RuneSelf {
					dst = utf8.AppendRune(dst, r) // a lone surrogate becomes U+FFFD
					continue
				}
				b = byte(r)
			}
		}
		if stop != 0 && b == stop {
			return dst, literal[i+1:]
		}
		dst = append(dst, b)
	}
	return dst, nil
}

// hex4 decodes the four hexadecimal digits that b begins with; what is none becomes U+FFFD.
func hex4(b []byte) rune {
	n, err := strconv.ParseUint(string(b[:min(4, len(b))]), 16, 16)
	if err != nil || len(b) < 4 {
		return utf8.RuneError
	}
	return rune(n)
}
