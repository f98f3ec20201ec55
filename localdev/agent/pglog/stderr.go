package pglog

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// stderr has lines that begin with log_line_prefix and the severity. The later lines of a text begin with a tab; DETAIL,
// CONTEXT and STATEMENT are lines with a prefix of their own.
type stderr struct {
	begin *regexp.Regexp // prefix and severity; its groups are named after the escapes
	parts []string       // the groups' names
}

// escapes are what may stand behind the % of log_line_prefix, and what it writes.
var escapes = map[byte]string{
	'a': `[^\n]*?`, 'u': `[^\n]*?`, 'd': `[^\n]*?`, 'r': `[^\n]*?`, 'h': `[^\n]*?`, 'L': `[^\n]*?`, 'b': `[a-z ]+?`, 'p': `\d+`, 'P': `\d*`, 'i': `[^\n]*?`,
	't': `\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+`, 'm': `\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \S+`, 'n': `\d+\.\d{3}`,
	's': `\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+`, 'e': `[0-9A-Z]{5}`, 'c': `[0-9a-f]+\.[0-9a-f]+`, 'l': `\d+`, 'v': `(?:\d+/\d+|)`, 'x': `\d+`, 'Q': `-?\d+`,
}

// verbose is what log_error_verbosity = verbose writes before a message.
var verbose = regexp.MustCompile(`^[0-9A-Z]{5}: `)

var padding = regexp.MustCompile(`^-?\d+`)

// newStderr returns the format of lines that begin with a prefix.
func newStderr(prefix string) (Format, error) {
	var re strings.Builder
	re.WriteString(`^`)
	optional := false // behind %q: what is not of a session has none of it
	seen := make(map[byte]bool)
	for i := 0; i < len(prefix); i++ {
		if prefix[i] != '%' {
			re.WriteString(regexp.QuoteMeta(prefix[i : i+1]))
			continue
		}
		i++
		padded := padding.FindString(prefix[min(i, len(prefix)):])
		i += len(padded)
		if i >= len(prefix) {
			return nil, fmt.Errorf("log_line_prefix %q (BITVILLE_POSTGRES_LOG_LINE_PREFIX) ends in a %%: give it as postgresql.conf has it", prefix)
		}
		c := prefix[i]
		text, known := escapes[c]
		switch {
		case c == '%':
			re.WriteString("%")
		case c == 'q':
			if !optional {
				optional = true
				re.WriteString(`(?:`)
			}
		case !known:
			return nil, fmt.Errorf("log_line_prefix %q (BITVILLE_POSTGRES_LOG_LINE_PREFIX) holds %%%c, which PostgreSQL does not know", prefix, c)
		default:
			pad, name := "", "?P<"+string(c)+">"
			if padded != "" {
				pad = " *"
			}
			if seen[c] {
				name = "?:" // the first tells
			}
			re.WriteString(pad + "(" + name + text + ")" + pad)
		}
		seen[c] = true
	}
	if optional {
		re.WriteString(`)?`)
	}
	if !seen['t'] && !seen['m'] && !seen['n'] {
		return nil, fmt.Errorf("log_line_prefix %q (BITVILLE_POSTGRES_LOG_LINE_PREFIX) holds no time: set one with %%m", prefix)
	}
	if !seen['p'] && !seen['c'] {
		return nil, fmt.Errorf("log_line_prefix %q (BITVILLE_POSTGRES_LOG_LINE_PREFIX) does not tell sessions apart: set one with %%c or %%p", prefix)
	}
	re.WriteString(`([A-Z]+\d?):  `)
	begin, err := regexp.Compile(re.String())
	if err != nil {
		return nil, fmt.Errorf("log_line_prefix %q (BITVILLE_POSTGRES_LOG_LINE_PREFIX): %w", prefix, err)
	}
	return stderr{begin, begin.SubexpNames()}, nil
}

// belongs are the words of lines that go on with the entry before them.
var belongs = map[string]bool{"DETAIL": true, "HINT": true, "QUERY": true, "CONTEXT": true, "STATEMENT": true, "LOCATION": true, "BACKTRACE": true}

// start tells whether a line begins an entry, or goes on with one.
func (f stderr) start(line []byte) (begins, belonging bool) {
	if len(line) == 0 || line[0] == '\t' {
		return false, false
	}
	m := f.begin.FindSubmatch(line)
	if m == nil {
		return false, false
	}
	more := belongs[string(m[len(m)-1])]
	return !more, more
}

// Next returns the first entry. It ends where the next begins.
func (f stderr) Next(b []byte, final bool) int {
	for i := 0; i < len(b) && i < MaxEntry; {
		n := bytes.IndexByte(b[i:], '\n')
		if n < 0 {
			break
		}
		i += n + 1
		line, _, whole := bytes.Cut(b[i:], []byte("\n"))
		if len(line) > 0 && line[0] == '\t' {
			continue
		}
		if !whole && !final {
			return 0
		}
		if begins, _ := f.start(line); begins {
			return i
		}
	}
	if final || len(b) > MaxEntry {
		return len(b)
	}
	return 0
}

func (f stderr) Parse(raw []byte) (e Entry, err error) {
	line, rest, _ := bytes.Cut(raw, []byte("\n"))
	m := f.begin.FindSubmatch(line)
	if m == nil || belongs[string(m[len(m)-1])] {
		return e, ErrNoEntry
	}
	for i, name := range f.parts {
		value := string(m[i])
		switch name {
		case "t", "m":
			e.Time, err = stamp(value)
		case "n":
			var ms int64
			ms, err = strconv.ParseInt(strings.Replace(value, ".", "", 1), 10, 64)
			e.Time = time.UnixMilli(ms)
		case "a":
			e.Application = unknown(value)
		case "u":
			e.User = unknown(value)
		case "d":
			e.Database = unknown(value)
		case "c":
			e.Session = value
		case "p":
			if e.Session == "" {
				e.Session = value
			}
		case "l":
			e.Line = value
		case "i":
			e.Command = value
		case "v":
			e.Transaction = value
		case "e":
			e.State = value
		case "Q":
			e.QueryID = queryID(value)
		}
		if err != nil {
			return Entry{}, err
		}
	}
	e.Severity = string(m[len(m)-1])
	var other string
	part := &e.Message // what the lines that follow go on with
	var text strings.Builder
	first := line[len(m[0]):]
	if state := verbose.Find(first); state != nil && (e.Severity == "ERROR" || string(state) == "00000: ") {
		e.State, first = string(state[:5]), first[len(state):]
	}
	text.Write(first)
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\n"))
		if begins, more := f.start(line); begins || more {
			*part = text.String()
			text.Reset()
			m = f.begin.FindSubmatch(line)
			switch string(m[len(m)-1]) {
			case "DETAIL":
				part = &e.Detail
			case "CONTEXT":
				part = &e.Context
			case "STATEMENT":
				part = &e.Statement
			default:
				part = &other
			}
			text.Write(line[len(m[0]):])
			continue
		}
		text.WriteByte('\n')
		text.Write(bytes.TrimPrefix(line, []byte("\t")))
	}
	*part = text.String()
	return e, nil
}

// unknown drops what PostgreSQL writes in the place of a name that it does not know.
func unknown(name string) string {
	if name == "[unknown]" {
		return ""
	}
	return name
}
