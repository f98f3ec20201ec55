// Package viewtest has a view.Store in memory, which computes each answer from the records themselves: for tests of what
// reads a store, and as the oracle of stores that keep rollups.
package viewtest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/rollup"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/view"
)

// Memory is a view.Store. The id of a record is its place in Entries, from 1.
type Memory struct{ Entries []store.Entry }

var _ view.Store = (*Memory)(nil)

// New returns a store of records as agents send them: objects, and arrays of them, behind each other. Each arrived a second
// after it began.
func New(records []byte) (*Memory, error) {
	m := &Memory{}
	for decoder := json.NewDecoder(bytes.NewReader(records)); decoder.More(); {
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return nil, fmt.Errorf("record %d: %w", len(m.Entries), err)
		}
		list := []json.RawMessage{raw}
		if raw[0] == '[' {
			if err := json.Unmarshal(raw, &list); err != nil {
				return nil, fmt.Errorf("record %d: %w", len(m.Entries), err)
			}
		}
		for _, one := range list {
			e, err := entry(one)
			if err != nil {
				return nil, fmt.Errorf("record %d: %w", len(m.Entries), err)
			}
			m.Entries = append(m.Entries, e)
		}
	}
	return m, nil
}

func entry(raw []byte) (e store.Entry, err error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return e, err
	}
	e.Source, e.Payload = view.Postgres, string(fields["profiling_data"])
	if fields["request_uri"] != nil {
		e.Source = view.PHP
	}
	var seconds float64
	for name, into := range map[string]any{"project": &e.Project, "correlation_id": &e.CorrelationID, "timestamp": &seconds,
		"duration_ms": &e.DurationMS, "request_uri": &e.Name, "query": &e.Name} {
		if fields[name] != nil {
			err = cmp.Or(err, json.Unmarshal(fields[name], into))
		}
		delete(fields, name)
	}
	delete(fields, "profiling_data")
	rest, _ := json.Marshal(fields) // they were decoded
	e.Timestamp = time.UnixMicro(int64(math.Round(seconds * 1e6)))
	e.CreatedAt, e.Attributes = e.Timestamp.Add(time.Second), string(rest)
	return e, err
}

// point derives what rollups take from an entry.
func point(e *store.Entry) rollup.Point {
	return rollup.Derive(&record.Record{CorrelationID: e.CorrelationID, Project: e.Project, Source: e.Source,
		Timestamp: e.Timestamp.UnixMicro(), DurationMS: e.DurationMS, Name: e.Name, Attributes: []byte(e.Attributes)})
}

// each calls f with the records of executions that a filter has, and their ids.
func (m *Memory) each(series rollup.Series, from, to time.Time, f func(id int64, e *store.Entry, p rollup.Point)) {
	for i := range m.Entries {
		e := &m.Entries[i]
		if e.Project != series.Project || e.Source != series.Source || e.Timestamp.Before(from) || !e.Timestamp.Before(to) {
			continue
		}
		if p := point(e); p.Key != "" {
			f(int64(i+1), e, p)
		}
	}
}

// Projects implements view.Store.
func (m *Memory) Projects(_ context.Context, from, to time.Time) ([]view.ProjectCount, error) {
	var found []view.ProjectCount
	for i := range m.Entries {
		name := m.Entries[i].Project
		if slices.ContainsFunc(found, func(p view.ProjectCount) bool { return p.Project == name }) {
			continue
		}
		p := view.ProjectCount{Project: name}
		m.each(rollup.Series{Project: name, Source: view.PHP}, from, to, func(int64, *store.Entry, rollup.Point) { p.Requests++ })
		m.each(rollup.Series{Project: name, Source: view.Postgres}, from, to, func(int64, *store.Entry, rollup.Point) { p.Statements++ })
		found = append(found, p)
	}
	slices.SortFunc(found, func(a, b view.ProjectCount) int { return cmp.Compare(a.Project, b.Project) })
	return found, nil
}

// Minutes implements view.Store.
func (m *Memory) Minutes(_ context.Context, series rollup.Series, from, to time.Time) ([]rollup.Tally, error) {
	var found []rollup.Tally
	m.each(series, from, to, func(_ int64, _ *store.Entry, p rollup.Point) {
		minute := rollup.Minute.Start(p.Time)
		at := slices.IndexFunc(found, func(t rollup.Tally) bool { return t.Minute == minute })
		if at < 0 {
			at = len(found)
			found = append(found, rollup.Tally{Minute: minute})
		}
		found[at].Count++
		found[at].Sum += max(0, p.Micros)
	})
	slices.SortFunc(found, func(a, b rollup.Tally) int { return cmp.Compare(a.Minute, b.Minute) })
	return found, nil
}

// Latest implements view.Store.
func (m *Memory) Latest(_ context.Context, project string, before time.Time, limit int) ([]store.Entry, error) {
	return m.pages(project, time.Time{}, before, "", limit, func(a, b *store.Entry) int { return b.Timestamp.Compare(a.Timestamp) }), nil
}

// Slowest implements view.Store.
func (m *Memory) Slowest(_ context.Context, project string, from, to time.Time, routeKey string, limit int) (view.Slowest, error) {
	found := m.pages(project, from, to, routeKey, math.MaxInt, func(a, b *store.Entry) int { return cmp.Compare(*b.DurationMS, *a.DurationMS) })
	return view.Slowest{Requests: found[:min(limit, len(found))], Exact: true}, nil
}

func (m *Memory) pages(project string, from, to time.Time, routeKey string, limit int, order func(a, b *store.Entry) int) (found []store.Entry) {
	slowest := limit == math.MaxInt
	m.each(rollup.Series{Project: project, Source: view.PHP}, from, to, func(_ int64, e *store.Entry, p rollup.Point) {
		if (routeKey == "" || p.Key == routeKey) && (!slowest || e.DurationMS != nil) {
			found = append(found, bare(e))
		}
	})
	slices.SortStableFunc(found, func(a, b store.Entry) int { return order(&a, &b) })
	return found[:min(limit, len(found))]
}

// bare is an entry as lists have it.
func bare(e *store.Entry) store.Entry {
	b := *e
	b.Payload = ""
	return b
}

// RecordsOf implements view.Store.
func (m *Memory) RecordsOf(_ context.Context, project string, correlationIDs []string) (found []store.Entry, _ error) {
	for i := range m.Entries {
		if e := &m.Entries[i]; e.Project == project && slices.Contains(correlationIDs, e.CorrelationID) && point(e).Key != "" {
			found = append(found, bare(e))
		}
	}
	return found, nil
}

// Groups implements view.Store.
func (m *Memory) Groups(_ context.Context, series rollup.Series, from, to time.Time) (view.Groups, error) {
	found := view.Groups{From: from}
	m.each(series, from, to, func(id int64, _ *store.Entry, p rollup.Point) {
		at := slices.IndexFunc(found.Groups, func(g view.Group) bool { return g.Key == p.Key })
		if at < 0 {
			at = len(found.Groups)
			found.Groups = append(found.Groups, view.Group{Key: p.Key, Text: p.Text})
		}
		found.Groups[at].Cell.Add(id, p.Micros)
	})
	return found, nil
}

// Hours implements view.Store.
func (m *Memory) Hours(_ context.Context, series rollup.Series, key string, from, to time.Time) (found view.Hours, _ error) {
	m.each(series, from, to, func(id int64, _ *store.Entry, p rollup.Point) {
		if p.Key != key {
			return
		}
		found.Text = cmp.Or(found.Text, p.Text)
		start := time.Unix(rollup.Hour.Start(p.Time), 0)
		at := slices.IndexFunc(found.Hours, func(h view.Hour) bool { return h.Start.Equal(start) })
		if at < 0 {
			at = len(found.Hours)
			found.Hours = append(found.Hours, view.Hour{Start: start})
		}
		found.Hours[at].Cell.Add(id, p.Micros)
	})
	slices.SortFunc(found.Hours, func(a, b view.Hour) int { return a.Start.Compare(b.Start) })
	return found, nil
}

// Exemplars implements view.Store.
func (m *Memory) Exemplars(_ context.Context, project string, ids []int64) (found []store.Entry, _ error) {
	for _, id := range ids {
		if id >= 1 && id <= int64(len(m.Entries)) && m.Entries[id-1].Project == project {
			found = append(found, bare(&m.Entries[id-1]))
		}
	}
	return found, nil
}

// Records implements view.Store.
func (m *Memory) Records(_ context.Context, project, correlationID string) (found []store.Entry, _ error) {
	for _, e := range m.Entries {
		if e.Project == project && e.CorrelationID == correlationID {
			found = append(found, e)
		}
	}
	slices.SortStableFunc(found, func(a, b store.Entry) int { return a.Timestamp.Compare(b.Timestamp) })
	return found, nil
}

// ProjectsOf implements view.Store.
func (m *Memory) ProjectsOf(_ context.Context, correlationID string) (found []string, _ error) {
	for i := range m.Entries {
		if e := &m.Entries[i]; e.CorrelationID == correlationID && !slices.Contains(found, e.Project) {
			found = append(found, e.Project)
		}
	}
	slices.Sort(found)
	return found, nil
}
