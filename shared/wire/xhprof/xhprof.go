// Package xhprof holds what the wires of XHProf's clients have in common: how long a profile took, and the making of a record
// that has one.
package xhprof

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/bitville/listener/shared/mask"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/wire/jsonvalue"
)

const root = "main()"

var (
	// arrows are how clients write "==>": json_encode's JSON_HEX_TAG escapes the last character.
	arrows = [][]byte{[]byte("==>"), []byte(`==\u003E`), []byte(`==\u003e`)}

	// own begins the functions of php-profiler itself, as JSON has them: their work at the end of a request is none of the page's.
	own = []byte(`Xhgui\\Profiler\\`)
)

// Duration returns how long a profile of edges ("caller==>callee": {"wt": microseconds}) took in milliseconds; nil when that
// cannot be told.
//
// PECL xhprof and its like have main() as the root, whose time is all of it. In tideways_xhprof 5 main() is a leaf, and what
// was called first stands there without a caller. Where neither is so, it is what was called by those whom nobody calls.
func Duration(profile jsonvalue.Value) *float64 {
	var total, first float64 // of main(), and of all that has no caller
	var hasRoot, hasTotal, hasFirst bool
	for name, value := range profile.Members() {
		caller, _, isEdge := cut(name)
		if isEdge {
			hasRoot = hasRoot || string(caller) == root
			continue
		}
		time, timed := value.Get("wt").Number()
		if timed && string(caller) == root {
			total, hasTotal = time, true
		}
		if timed && !bytes.HasPrefix(caller, own) {
			first, hasFirst = first+time, true
		}
	}
	switch {
	case hasRoot && hasTotal:
		return milliseconds(total)
	case hasFirst && !hasRoot:
		return milliseconds(first)
	}
	return outer(profile)
}

// outer returns the time of what those called whom nobody calls.
func outer(profile jsonvalue.Value) *float64 {
	callees := map[string]bool{}
	for name := range profile.Members() {
		if _, callee, isEdge := cut(name); isEdge {
			callees[string(callee)] = true
		}
	}
	sum, has := 0.0, false
	for name, value := range profile.Members() {
		caller, _, isEdge := cut(name)
		if time, timed := value.Get("wt").Number(); isEdge && timed && !callees[string(caller)] {
			sum, has = sum+time, true
		}
	}
	if !has {
		return nil
	}
	return milliseconds(sum)
}

// cut splits the name of an edge, both parts as they are written. Of what is no edge caller is all of it.
func cut(name jsonvalue.Value) (caller, callee []byte, isEdge bool) {
	text := name[1 : len(name)-1]
	for _, arrow := range arrows {
		if caller, callee, isEdge = bytes.Cut(text, arrow); isEdge {
			return caller, callee, true
		}
	}
	return text, nil, false
}

// milliseconds returns a duration in microseconds as a record has it, nil when it is none.
func milliseconds(us float64) *float64 {
	if ms := us / 1000; ms >= 0 && ms <= maxDuration {
		return &ms
	}
	return nil
}

// maxDuration is a year in milliseconds: beyond it a figure is none.
const maxDuration = 365 * 24 * 60 * 60 * 1000

// Payload returns what a record holds of a profile: PHP's empty array is an object, and everything else stands as it is. ok is
// false when it is no profile.
func Payload(profile jsonvalue.Value) (payload []byte, ok bool) {
	if profile.IsEmptyArray() {
		return []byte("{}"), true
	}
	return profile, profile.IsObject()
}

// URI returns a request's URI or command as it is stored: without the values in it, unless they are to be kept, and not longer
// than it may be. cut tells that it was longer.
func URI(uri string, keepValues bool) (stored string, cut bool) {
	if !keepValues {
		uri = mask.URI(uri)
	}
	if len(uri) <= record.PHP.MaxNameBytes {
		return uri, false
	}
	return strings.ToValidUTF8(uri[:record.PHP.MaxNameBytes], ""), true
}

// Seal holds a record against the rules, and seals it when it is valid.
func Seal(rec *record.Record, rules record.Rules) (details []record.Detail) {
	details = rec.Validate(record.PHP, rules)
	if depth := jsonvalue.Value(rec.Payload).Depth(); depth > record.MaxDepth {
		details = append(details, record.Detail{Path: "profiling_data", Message: fmt.Sprintf("is nested %d deep; at most %d", depth, record.MaxDepth)})
	}
	if depth := jsonvalue.Value(rec.Attributes).Depth() - 1; depth > record.MaxDepth {
		details = append(details, record.Detail{Message: fmt.Sprintf("has a field that is nested %d deep; at most %d", depth, record.MaxDepth)})
	}
	if len(details) == 0 {
		rec.Seal()
	}
	return details
}

// Seconds returns Unix seconds in microseconds; ok is false when they are no time that can be meant.
func Seconds(v jsonvalue.Value) (micros int64, ok bool) {
	seconds, ok := v.Number()
	if !ok || seconds <= 0 || seconds >= 1e11 {
		return 0, false
	}
	return int64(seconds*1e6 + 0.5), true
}

// Summary is what an answer in one sentence says of a record that is wrong.
func Summary(details []record.Detail) string {
	text := details[0].Message
	if path := details[0].Path; path != "" {
		text = path + " " + text
	}
	if more := len(details) - 1; more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}
