// Package route tells which requests are the same page: it names a route by the framework's own name for it, or by
// the path with what varies left out. There must be few: each is a row in each hour's figures.
package route

import (
	"encoding/hex"
	"hash/fnv"
	"regexp"
	"strings"

	"github.com/bitville/listener/shared/record"
)

// maxBytes bounds a name.
const maxBytes = 200

// Name returns the name of a request's route: attribute, the record's "route", where the agent sent one, else the path of
// uri with numbers, UUIDs, hexadecimal and long tokens as "*": "/product/42?ref=x" is "/product/*". Of a command it is
// the command and its first argument, without options: "cli.php import --limit=20 a b" is "cli.php import *". A name has 200 bytes at most.
func Name(attribute, uri string) string {
	name := attribute
	if name == "" {
		name = fromURI(uri)
	}
	if len(name) > maxBytes {
		name = strings.ToValidUTF8(name[:maxBytes-len("…")], "") + "…"
	}
	return name
}

func fromURI(uri string) string {
	if end := strings.IndexAny(uri, "?#"); end >= 0 {
		uri = uri[:end]
	}
	if _, rest, ok := strings.Cut(uri, "://"); ok {
		_, path, _ := strings.Cut(rest, "/")
		uri = "/" + path
	}
	if !strings.HasPrefix(uri, "/") {
		return command(uri)
	}
	var b strings.Builder
	b.Grow(min(len(uri), 2*maxBytes))
	for s := range strings.SplitSeq(uri[1:], "/") {
		s, _, _ = strings.Cut(s, ";") // matrix parameters
		b.WriteByte('/')
		b.WriteString(segment(s))
		if b.Len() > maxBytes { // enough to be cut
			break
		}
	}
	return b.String()
}

// command returns what runs and, where it is a word, the first argument: most often that says what to do. The others
// vary, and may be anything: they are one "*".
func command(line string) string {
	var words []string
	for _, word := range strings.Fields(line) {
		switch n := len(words); {
		case strings.HasPrefix(word, "-"):
		case n == 0, n == 1 && subcommand.MatchString(word):
			words = append(words, segment(word))
		default:
			return strings.Join(append(words, "*"), " ")
		}
	}
	return strings.Join(words, " ")
}

var subcommand = regexp.MustCompile(`^[A-Za-z][\w:.-]*$`)

// segment returns "*" for what varies from request to request, with the extension of a file: "42.json" is "*.json".
func segment(s string) string {
	base := s[:len(s)-len(extension(s))]
	if varies(base) {
		return "*" + s[len(base):]
	}
	return s
}

// extension returns ".json" of "42.json": a dot and one to five letters.
func extension(s string) string {
	dot := strings.LastIndexByte(s, '.')
	if letters := len(s) - dot - 1; dot < 0 || letters < 1 || letters > 5 {
		return ""
	}
	for i := dot + 1; i < len(s); i++ {
		if !isLetter(s[i]) {
			return ""
		}
	}
	return s[dot:]
}

// How long a token is that no word is.
const (
	hexLength   = 8  // of hexadecimal digits alone, with a digit: a1b2c3d4, but not "effaced"
	tokenLength = 16 // of letters and digits in a row, with a digit
	wordLength  = 32 // of letters in a row
)

// varies tells numbers (42, -1, 2026-01-20, 1.5), UUIDs, hexadecimal and long tokens from words. It runs for each
// record that is stored.
func varies(s string) bool {
	hasDigit, isNumber, isHex := false, true, true
	run, runHasDigit := 0, false // letters and digits in a row
	for i := 0; i < len(s); i++ {
		c := s[i]
		digit, letter := '0' <= c && c <= '9', isLetter(c)
		hasDigit = hasDigit || digit
		isHex = isHex && (digit || letter && c|0x20 <= 'f')
		isNumber = isNumber && (digit || c == '-' || c == '+' || c == '.' || c == ',' || c == ':' || c == '_')
		if !digit && !letter {
			run, runHasDigit = 0, false
			continue
		}
		run++
		runHasDigit = runHasDigit || digit
		if run >= wordLength || run >= tokenLength && runHasDigit {
			return true
		}
	}
	if !hasDigit {
		return false
	}
	_, isUUID := record.CorrelationID(s)
	return isNumber || isHex && len(s) >= hexLength || isUUID
}

func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// Key is what a URL has for a name, which may hold slashes and stars: 16 hexadecimal digits that stay the same over
// restarts.
func Key(name string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return hex.EncodeToString(h.Sum(nil))
}

// KeyOf returns the key of a route that is given by its key or by its name; "" of "".
func KeyOf(keyOrName string) string {
	if isKey.MatchString(keyOrName) || keyOrName == "" {
		return keyOrName
	}
	return Key(keyOrName)
}

var isKey = regexp.MustCompile(`^[0-9a-f]{16}$`)
