// Package xhgui is the wire format of php-profiler, the client of XHGui: a profile of a request, and what the client knows
// about that request. A record keeps the profile byte for byte, and depends on the body alone, so that a replay of the client's
// file is a duplicate.
package xhgui

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/wire/jsonvalue"
	"github.com/bitville/listener/shared/wire/xhprof"
)

// Dialect is the attribute dialect of the records.
const Dialect = "xhgui"

// Wire reads what php-profiler sends, and answers as it expects. It is an intake.Wire.
type Wire struct {
	Keep []string // of mask.Dropped: what is stored all the same
}

var errTooManyRecords = errors.New("too many records in one body")

// bodyError says why a body is refused whole.
type bodyError struct{ message string }

func (e *bodyError) Error() string { return "the body " + e.message }

// Attrs are the error's attributes of a log line.
func (e *bodyError) Attrs() []slog.Attr { return []slog.Attr{slog.String("message", e.Error())} }

// Decode reads one profile, or the client's file: a profile a line. The records point into the body.
func (w Wire) Decode(body []byte, contentType string, rules record.Rules, _ func(int64) error) (batch record.Batch, err error) {
	if contentType == ndjson {
		return w.lines(body, rules)
	}
	v, err := jsonvalue.Parse(body)
	if err != nil {
		// The file is also sent under the type that curl or the client gives everything.
		if line, rest, found := bytes.Cut(body, []byte("\n")); found && len(bytes.TrimSpace(rest)) > 0 {
			if _, err := jsonvalue.Parse(line); err == nil {
				return w.lines(body, rules)
			}
		}
		return batch, &bodyError{err.Error() + "; send what php-profiler sends, a profile a body or a line"}
	}
	batch.Single = true
	w.add(&batch, v, rules)
	return batch, nil
}

func (w Wire) lines(body []byte, rules record.Rules) (batch record.Batch, err error) {
	for line := range bytes.Lines(body) {
		if len(jsonvalue.Trim(line)) == 0 {
			continue
		}
		if len(batch.Records)+len(batch.Rejected) == record.MaxRecords {
			return batch, errTooManyRecords
		}
		v, err := jsonvalue.Parse(line)
		if err != nil {
			reject(&batch, []record.Detail{{Message: err.Error()}})
			continue
		}
		w.add(&batch, v, rules)
	}
	return batch, nil
}

func reject(batch *record.Batch, details []record.Detail) {
	index := len(batch.Records) + len(batch.Rejected)
	batch.Rejected = append(batch.Rejected, record.Rejection{Index: index, Details: details})
}

// add takes the record of a value into the batch, or what is wrong with it.
func (w Wire) add(batch *record.Batch, v jsonvalue.Value, rules record.Rules) {
	rec, details := w.record(v, rules)
	if len(details) > 0 {
		reject(batch, details)
	} else {
		batch.Records = append(batch.Records, rec)
	}
}

func (w Wire) keeps(name string) bool { return slices.Contains(w.Keep, name) }

// record maps what the client sends for one request.
func (w Wire) record(v jsonvalue.Value, rules record.Rules) (rec record.Record, details []record.Detail) {
	var meta, profile jsonvalue.Value
	for name, value := range v.Members() { // once, for the profile is large
		switch name.Text() {
		case "meta":
			meta = value
		case "profile":
			profile = value
		}
	}
	server := meta.Get("SERVER")
	payload, isProfile := xhprof.Payload(profile)
	switch {
	case !v.IsObject():
		return rec, []record.Detail{{Message: "must be an object with profile and meta"}}
	case !isProfile:
		return rec, []record.Detail{{Path: "profile", Message: "must be an object of edges"}}
	case !meta.IsObject():
		return rec, []record.Detail{{Path: "meta", Message: "must be an object: what php-profiler knows about the request"}}
	}
	timestamp, timed := timestamp(meta)
	if !timed {
		return rec, []record.Detail{{Path: "timestamp", Message: "is nowhere: meta has no SERVER.REQUEST_TIME_FLOAT, request_ts_micro or request_ts in Unix seconds"}}
	}
	var attributes jsonvalue.Object
	attributes.Text("dialect", Dialect)
	unique := server.Get("UNIQUE_ID").Text()
	id, isID := record.CorrelationID(unique)
	if isID = isID && record.IsID(id); !isID {
		id = record.DerivedID(rules.Project, v)
		attributes.Text(record.Derived, "derived")
		attributes.Text("unique_id", unique)
	}
	uri, cut := xhprof.URI(firstText(meta.Get("url"), meta.Get("simple_url"), server.Get("PHP_SELF")), w.keeps("query_values"))
	if cut {
		attributes.Value("request_uri_cut", jsonvalue.Value("true"))
	}
	attributes.Text("route", w.route(meta.Get("simple_url").Text()))
	attributes.Text("method", server.Get("REQUEST_METHOD").Text())
	attributes.Text("host", server.Get("HTTP_HOST").Text())
	attributes.Text("https", server.Get("HTTPS").Text())
	for _, name := range []string{"env", "get"} {
		if w.keeps(name) {
			attributes.Value(name, meta.Get(name))
		}
	}
	for _, name := range []string{"PHP_AUTH_USER", "REMOTE_ADDR", "HTTP_USER_AGENT"} {
		if w.keeps(name) {
			attributes.Value(name, server.Get(name))
		}
	}
	rec = record.Record{
		CorrelationID: id,
		Project:       rules.Project,
		Source:        record.PHP.ID,
		Timestamp:     timestamp,
		DurationMS:    xhprof.Duration(profile),
		Name:          uri,
		Attributes:    attributes.JSON(),
		Payload:       payload,
	}
	return rec, xhprof.Seal(&rec, rules)
}

// timestamp returns when the request began, in Unix microseconds.
func timestamp(meta jsonvalue.Value) (micros int64, ok bool) {
	if micros, ok = xhprof.Seconds(meta.Get("SERVER", "REQUEST_TIME_FLOAT")); ok {
		return micros, true
	}
	if micros, ok = xhprof.Seconds(meta.Get("request_ts_micro", "sec")); ok {
		if part, has := meta.Get("request_ts_micro", "usec").Number(); has && 0 <= part && part < 1e6 {
			micros += int64(part)
		}
		return micros, true
	}
	return xhprof.Seconds(meta.Get("request_ts", "sec"))
}

// route is what the client calls the page: a path without a query, or a command.
func (w Wire) route(simple string) string {
	route, _ := xhprof.URI(simple, w.keeps("query_values"))
	if strings.HasPrefix(route, "/") {
		route, _, _ = strings.Cut(route, "?")
	}
	return route
}

func firstText(values ...jsonvalue.Value) string {
	for _, v := range values {
		if text := v.Text(); text != "" {
			return text
		}
	}
	return ""
}
