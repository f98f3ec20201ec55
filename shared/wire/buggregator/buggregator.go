// Package buggregator is the wire format of Buggregator's profiler client: one profile a body, with tags of the user's own. A
// record keeps the profile byte for byte, and depends on the body alone.
package buggregator

import (
	"cmp"
	"log/slog"
	"math"
	"slices"
	"strings"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/wire/jsonvalue"
	"github.com/bitville/listener/shared/wire/xhprof"
)

// Dialect is the attribute dialect of the records.
const Dialect = "buggregator"

// Wire reads what the client sends, and answers so that it breaks nobody's page. It is an intake.Wire.
type Wire struct {
	Keep []string // of mask.Dropped: what is stored all the same
}

// bodyError says why a body is refused whole.
type bodyError struct{ message string }

func (e *bodyError) Error() string { return "the body " + e.message }

// Attrs are the error's attributes of a log line.
func (e *bodyError) Attrs() []slog.Attr { return []slog.Attr{slog.String("message", e.Error())} }

// Decode reads one profile, which points into the body.
func (w Wire) Decode(body []byte, _ string, rules record.Rules, _ func(int64) error) (batch record.Batch, err error) {
	v, err := jsonvalue.Parse(body)
	if err != nil {
		return batch, &bodyError{err.Error() + "; send what Buggregator's profiler client sends"}
	}
	batch.Single = true
	if rec, details := w.record(v, rules); len(details) > 0 {
		batch.Rejected = []record.Rejection{{Details: details}}
	} else {
		batch.Records = []record.Record{rec}
	}
	return batch, nil
}

// record maps a profile. Its time is that of the profile's end, in whole seconds.
func (w Wire) record(v jsonvalue.Value, rules record.Rules) (rec record.Record, details []record.Detail) {
	profile, tags := v.Get("profile"), v.Get("tags")
	payload, isProfile := xhprof.Payload(profile)
	switch {
	case !v.IsObject():
		return rec, []record.Detail{{Message: "must be an object with profile, date and app_name"}}
	case !isProfile:
		return rec, []record.Detail{{Path: "profile", Message: "must be an object of edges"}}
	}
	end, timed := xhprof.Seconds(v.Get("date"))
	if !timed {
		return rec, []record.Detail{{Path: "date", Message: "must be Unix seconds: when the profile ended"}}
	}
	var attributes jsonvalue.Object
	attributes.Text("dialect", Dialect)
	id, found := idOf(tags)
	if !found {
		id = record.DerivedID(rules.Project, v)
		attributes.Text(record.Derived, "derived")
	}
	keepValues := slices.Contains(w.Keep, "query_values")
	uri, cut := nameOf(v, keepValues)
	if cut {
		attributes.Value("request_uri_cut", jsonvalue.Value("true"))
	}
	attributes.Text("app", v.Get("app_name").Text())
	attributes.Text("host", v.Get("hostname").Text())
	attributes.Value("tags", masked(tags, keepValues))
	rec = record.Record{
		CorrelationID: id,
		Project:       rules.Project,
		Source:        record.PHP.ID,
		Timestamp:     end,
		DurationMS:    xhprof.Duration(profile),
		Name:          uri,
		Attributes:    attributes.JSON(),
		Payload:       payload,
	}
	if rec.DurationMS != nil {
		rec.Timestamp -= int64(math.Round(*rec.DurationMS * 1000))
	}
	return rec, xhprof.Seal(&rec, rules)
}

// idOf returns the id that the user gave as a tag.
func idOf(tags jsonvalue.Value) (id string, ok bool) {
	for _, name := range []string{"correlation_id", "trace_id", "request_id"} {
		if id, ok := record.CorrelationID(tags.Get(name).Text()); ok && record.IsID(id) {
			return id, true
		}
	}
	return "", false
}

// nameOf returns what was profiled, as far as that is known: without a tag it is the application. cut tells that it was
// longer.
func nameOf(v jsonvalue.Value, keepValues bool) (name string, cut bool) {
	for _, name := range []string{"uri", "url"} {
		uri := v.Get("tags", name).Text()
		if _, rest, absolute := strings.Cut(uri, "://"); absolute {
			at := strings.IndexAny(rest+"/", "/?#")
			uri = "/" + strings.TrimPrefix(rest[at:], "/")
		}
		if uri != "" {
			return xhprof.URI(uri, keepValues)
		}
	}
	return xhprof.URI(cmp.Or(v.Get("tags", "route").Text(), v.Get("app_name").Text()), true) // there are no values in these
}

// masked returns the tags without the values in their URLs, nil when there are no tags.
func masked(tags jsonvalue.Value, keepValues bool) jsonvalue.Value {
	switch {
	case tags.IsEmptyArray(), string(tags) == "null":
		return nil
	case keepValues || !tags.IsObject():
		return tags
	}
	var o jsonvalue.Object
	for name, value := range tags.Members() {
		text := value.Text()
		if name := name.Text(); text != "" && (name == "uri" || name == "url") {
			text, _ = xhprof.URI(text, false)
			o.Text(name, text)
		} else {
			o.Value(name, value)
		}
	}
	return o.JSON()
}
