package pglog

import (
	"bytes"
	"regexp"
	"strings"
)

// csvlog has 23 columns up to version 12, 24 in 13, and 26 from 14 on. A field in quotes may hold line ends.
type csvlog struct{}

// The columns that are read, from 0.
const (
	csvTime, csvUser, csvDatabase, csvSession, csvLine, csvCommand, csvTransaction = 0, 1, 2, 5, 6, 7, 9
	csvSeverity, csvState, csvMessage, csvDetail                                   = 11, 12, 13, 14
	csvContext, csvStatement, csvApplication, csvQueryID                           = 18, 19, 22, 25
)

// csvBegin is how an entry begins: time, user, database, process id, address, session id, line. Inside of a field quotes
// are doubled, so no text of a statement looks like it.
var csvBegin = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [^ ,"]+,(?:"(?:[^"]|"")*")?,(?:"(?:[^"]|"")*")?,\d+,(?:"[^"\n]*")?,[0-9a-f]+\.[0-9a-f]+,\d+,`)

func beginsCSV(b []byte) bool { return csvBegin.Match(b[:min(len(b), 1024)]) }

// Next returns the first entry: up to a line end outside of quotes, or up to a line that begins an entry, where the
// quotes before it were cut off.
func (csvlog) Next(b []byte, final bool) int {
	quoted := false
	for i, c := range b {
		switch {
		case c == '"':
			quoted = !quoted
		case c == '\n' && (!quoted || i+1 < len(b) && '0' <= b[i+1] && b[i+1] <= '9' && beginsCSV(b[i+1:])):
			return i + 1
		}
	}
	if final || len(b) > MaxEntry {
		return len(b)
	}
	return 0
}

func (csvlog) Parse(raw []byte) (Entry, error) {
	if !beginsCSV(raw) {
		return Entry{}, ErrNoEntry
	}
	columns := fields(string(bytes.TrimRight(raw, "\r\n")))
	at := func(i int) string {
		if i < len(columns) {
			return columns[i]
		}
		return ""
	}
	time, err := stamp(at(csvTime))
	if err != nil {
		return Entry{}, err
	}
	return Entry{
		Time: time, User: at(csvUser), Database: at(csvDatabase), Application: at(csvApplication), Session: at(csvSession), Line: at(csvLine),
		Transaction: at(csvTransaction), Command: at(csvCommand), Severity: at(csvSeverity), State: at(csvState), Message: at(csvMessage), Detail: at(csvDetail),
		Context: at(csvContext), Statement: at(csvStatement), QueryID: queryID(at(csvQueryID)),
	}, nil
}

// fields splits an entry at its commas. encoding/csv is not used, for it takes carriage returns out of values.
func fields(line string) (all []string) {
	for {
		if !strings.HasPrefix(line, `"`) {
			field, rest, more := strings.Cut(line, ",")
			all = append(all, field)
			if !more {
				return all
			}
			line = rest
			continue
		}
		end := 1
		for end < len(line) && (line[end] != '"' || end+1 < len(line) && line[end+1] == '"') {
			if line[end] == '"' {
				end++
			}
			end++
		}
		all = append(all, strings.ReplaceAll(line[1:min(end, len(line))], `""`, `"`))
		if end+1 >= len(line) {
			return all
		}
		_, line, _ = strings.Cut(line[end+1:], ",") // there is nothing before it
	}
}
