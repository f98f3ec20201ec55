// Package pglog cuts PostgreSQL's log into entries and reads them, in each of its three formats: jsonlog, csvlog, and
// stderr. An entry is what one report wrote, with its DETAIL, CONTEXT and STATEMENT, whatever lines it has.
//
// A log may begin and end anywhere. What is no entry is told as such and costs nothing but itself: the entries around it
// are read. An entry that was cut off is read as far as it goes.
package pglog

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"
)

// An Entry is one report in the log. What a format does not tell is "".
type Entry struct {
	Time        time.Time // when it was logged: for a statement its end, to the millisecond
	User        string
	Database    string
	Application string // application_name
	Session     string // session_id, such as 6b0a29f5.61f2; where only the process id is logged, that
	Line        string // the entry's number in its session, decimal
	Transaction string // the virtual transaction id, such as 3/779
	Command     string // the session's command at that moment, such as SELECT or BIND
	Severity    string // LOG, ERROR, …
	State       string // SQLSTATE
	Message     string
	Detail      string
	Context     string
	Statement   string // the text of the statement that failed
	QueryID     string // a 64-bit integer, decimal; "" where it was not computed
}

// Format is one of the log's formats.
type Format interface {
	// Next returns the length of the first entry in b, or of what is no entry, with its line end. It returns 0 when the
	// entry may go on behind b. final says that nothing is written behind b any more.
	Next(b []byte, final bool) int
	// Parse reads one entry. The error is ErrNoEntry for what is none.
	Parse(raw []byte) (Entry, error)
}

// ErrNoEntry says that a piece of the log is no entry: a line that another program wrote, or the rest of one that was
// begun in another file.
var ErrNoEntry = errors.New("no entry of PostgreSQL's log")

// MaxEntry is how long an entry may be, in bytes. A longer one is read as several.
const MaxEntry = 16 << 20

// Suffix is what the names of a format's files end in.
func Suffix(format string) string {
	switch format {
	case "jsonlog":
		return ".json"
	case "csvlog":
		return ".csv"
	}
	return ".log"
}

// New returns the format of that name: jsonlog, csvlog, or stderr, whose lines begin with log_line_prefix.
func New(format, prefix string) (Format, error) {
	switch format {
	case "jsonlog":
		return jsonlog{}, nil
	case "csvlog":
		return csvlog{}, nil
	case "stderr":
		return newStderr(prefix)
	}
	return nil, fmt.Errorf("the format of the log is %q: set one of jsonlog, csvlog, stderr", format)
}

// Guess tells the format by the first bytes of a log.
func Guess(b []byte) string {
	switch {
	case bytes.HasPrefix(b, []byte("{")):
		return "jsonlog"
	case beginsCSV(b):
		return "csvlog"
	}
	return "stderr"
}

// stamp reads a time of the log, such as 2026-11-28 01:10:13.667 CET.
func stamp(text string) (time.Time, error) {
	if len(text) < len("2006-01-02 15:04:05 Z") {
		return time.Time{}, ErrNoEntry
	}
	clock, zone := text, ""
	if i := strings.LastIndexByte(text, ' '); i > len("2006-01-02") {
		clock, zone = text[:i], text[i+1:]
	}
	at, err := time.Parse("2006-01-02 15:04:05", clock) // fractions are taken too
	if err != nil {
		return time.Time{}, ErrNoEntry
	}
	offset, err := zoneOffset(zone, at)
	if err != nil {
		return time.Time{}, err
	}
	return at.Add(-offset), nil
}

// ErrZone says that the log's time zone is not known.
var ErrZone = errors.New("the time zone of the log is not known: set log_timezone = 'UTC' in postgresql.conf")

// zoneOffset tells how far a zone is east of UTC. Names are this machine's first, for most servers log in its zone.
func zoneOffset(zone string, clock time.Time) (time.Duration, error) {
	if zone == "UTC" || zone == "GMT" {
		return 0, nil
	}
	if len(zone) >= 3 && (zone[0] == '+' || zone[0] == '-') {
		for _, layout := range []string{"-07", "-0700", "-07:00"} {
			if at, err := time.Parse(layout, zone); err == nil {
				_, seconds := at.Zone()
				return time.Duration(seconds) * time.Second, nil
			}
		}
		return 0, ErrZone
	}
	local := time.Date(clock.Year(), clock.Month(), clock.Day(), clock.Hour(), clock.Minute(), clock.Second(), 0, time.Local)
	for _, near := range []time.Duration{0, -time.Hour, time.Hour} { // the hour that stands twice in autumn
		if name, seconds := local.Add(near).Zone(); name == zone {
			return time.Duration(seconds) * time.Second, nil
		}
	}
	if hours, ok := zones[zone]; ok {
		return time.Duration(hours * float64(time.Hour)), nil
	}
	return 0, ErrZone
}

// zones are the names that mean one thing nearly everywhere, in hours east of UTC.
var zones = map[string]float64{
	"WET": 0, "WEST": 1, "BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3, "SAST": 2, "PKT": 5, "IST": 5.5,
	"HKT": 8, "JST": 9, "KST": 9, "AWST": 8, "ACST": 9.5, "ACDT": 10.5, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
	"NST": -3.5, "NDT": -2.5, "AST": -4, "ADT": -3, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6,
	"PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10,
}

// queryID drops the 0 that stands for an id that was not computed.
func queryID(text string) string {
	if text == "0" {
		return ""
	}
	return text
}

// lineEnd returns the length of the first line with its end, or 0.
func lineEnd(b []byte, final bool) int {
	if n := bytes.IndexByte(b, '\n'); n >= 0 {
		return n + 1
	}
	if final || len(b) > MaxEntry {
		return len(b)
	}
	return 0
}
