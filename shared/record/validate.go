package record

import (
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// maxAhead is how far a timestamp may be ahead of our clock.
const maxAhead = time.Hour

// Validate returns all problems of the values, in the order of the wire format's fields; nil when there is none. Whether
// the record is for the rules' project is the request's concern, not one record's: a wire compares the two.
func (r *Record) Validate(source Source, rules Rules) []Detail {
	var found problems
	if n := len(r.Name) + len(r.Payload) + len(r.Attributes); n > MaxBytes {
		found.add("", "is %d bytes long; a record holds at most %d: leave out part of profiling_data", n, MaxBytes)
	}
	if n := utf8.RuneCountInString(r.Project); n < 1 || n > MaxProject {
		found.add("project", "is %d characters long; 1 to %d: send the project that the key is for", n, MaxProject)
	}
	if message := problemOfID(r.CorrelationID); message != "" {
		found.add("correlation_id", "%s", message)
	}
	if r.Timestamp > rules.Now.Add(maxAhead).UnixMicro() {
		found.add("timestamp", "is more than an hour ahead of the listener's clock, which says %d; set the sender's clock", rules.Now.Unix())
	} else if r.Timestamp < rules.Now.Add(-rules.Retention).UnixMicro() {
		found.add("timestamp", "is older than the %g hours that records are kept; send records sooner, in Unix seconds, and set the sender's clock", rules.Retention.Hours())
	}
	if ms := r.DurationMS; ms != nil && *ms < 0 {
		found.add("duration_ms", "must not be negative; measure it with a clock that is not set, such as PHP's hrtime")
	} else if ms != nil && (math.IsNaN(*ms) || math.IsInf(*ms, 1)) {
		found.add("duration_ms", "is too large a number")
	}
	if len(r.Name) < 1 {
		found.add(source.NameField, "is empty; 1 to %d bytes", source.MaxNameBytes)
	} else if len(r.Name) > source.MaxNameBytes {
		found.add(source.NameField, "is %d bytes long; at most %d, and a longer one may be cut, between two characters", len(r.Name), source.MaxNameBytes)
	}
	if strings.IndexByte(r.Name, 0) >= 0 {
		found.add(source.NameField, "holds a NUL character (\\u0000); leave it out")
	}
	return found
}

type problems []Detail

func (p *problems) add(path, format string, args ...any) {
	*p = append(*p, Detail{path, fmt.Sprintf(format, args...)})
}

// Project spells a project's name as keys and stored records do: ASCII letters in lower case, "-" and "."
// as "_". Nothing else is folded, so that no two scripts' look-alikes meet.
func Project(name string) string {
	same := func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case r == '-' || r == '.':
			return '_'
		}
		return r
	}
	return strings.Map(same, name)
}
