package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/rollup"
	"github.com/bitville/listener/shared/view"
)

const (
	exactSpan    = time.Hour // shorter ones are of the records themselves,
	exactRecords = 15_000    // unless these are more: each takes some microseconds
	maxTexts     = 1000      // of keys that a list has: those with most time
)

// Projects implements view.Store.
func (r *Reader) Projects(ctx context.Context, from, to time.Time) (found []view.ProjectCount, err error) {
	err = query(ctx, r.pool, func(rows *sql.Rows) error {
		var p view.ProjectCount
		err := scan(rows, &p.Project)
		found = append(found, p)
		return err
	}, projects)
	if err != nil {
		return nil, err
	}
	start, end := whole(rollup.Minute, from, to)
	pending := map[rollup.Series][]rollup.Tally{}
	s, err := r.snapshot(ctx, func(d *rollup.Deltas) {
		for _, p := range found {
			for _, source := range []string{view.PHP, view.Postgres} {
				series := rollup.Series{Project: p.Project, Source: source}
				pending[series] = d.Minutes(series, start, end)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	defer s.close()
	for i := range found {
		p := &found[i]
		for source, count := range map[string]*int64{view.PHP: &p.Requests, view.Postgres: &p.Statements} {
			series := rollup.Series{Project: p.Project, Source: source}
			minutes, err := s.minutes(ctx, series, start, end, pending[series])
			if err != nil {
				return nil, err
			}
			for _, t := range minutes {
				*count += t.Count
			}
		}
	}
	return found, nil
}

// whole returns the first start of a span in a stretch of time, and the first after it, in Unix seconds.
func whole(span rollup.Span, from, to time.Time) (start, end int64) {
	return span.Start(from.Unix()), span.Start(to.Add(-time.Microsecond).Unix()) + int64(span)
}

// Minutes implements view.Store.
func (r *Reader) Minutes(ctx context.Context, series rollup.Series, from, to time.Time) ([]rollup.Tally, error) {
	start, end := whole(rollup.Minute, from, to)
	var pending []rollup.Tally
	s, err := r.snapshot(ctx, func(d *rollup.Deltas) { pending = d.Minutes(series, start, end) })
	if err != nil {
		return nil, err
	}
	defer s.close()
	return s.minutes(ctx, series, start, end, pending)
}

// minutes adds those of the table to those that are not written yet.
func (s *snapshot) minutes(ctx context.Context, series rollup.Series, start, end int64, all []rollup.Tally) ([]rollup.Tally, error) {
	err := query(ctx, s, func(rows *sql.Rows) error {
		var t rollup.Tally
		err := scan(rows, &t.Minute, &t.Count, &t.Sum)
		all = append(all, t)
		return err
	}, minutesBetween, series.Project, series.Source, start, end)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b rollup.Tally) int { return cmp.Compare(a.Minute, b.Minute) })
	joined := all[:0]
	for _, t := range all {
		if last := len(joined) - 1; last >= 0 && joined[last].Minute == t.Minute {
			joined[last].Count += t.Count
			joined[last].Sum += t.Sum
		} else {
			joined = append(joined, t)
		}
	}
	return joined, nil
}

// Groups implements view.Store. The texts are those of the keys with most time.
func (r *Reader) Groups(ctx context.Context, series rollup.Series, from, to time.Time) (view.Groups, error) {
	start, end := whole(rollup.Hour, from, to)
	var pending []rollup.Delta
	s, err := r.snapshot(ctx, func(d *rollup.Deltas) { pending = d.Hours(series, start, end) })
	if err != nil {
		return view.Groups{}, err
	}
	defer s.close()
	g := groups{}
	found := view.Groups{From: from}
	exact := to.Sub(from) < exactSpan
	if exact {
		if exact, err = s.isFew(ctx, series, from, to, exactRecords); err != nil {
			return view.Groups{}, err
		}
	}
	if exact {
		err = s.points(ctx, series, from, to, func(id int64, p *rollup.Point) { g.of(p.Key, p.Text).Cell.Add(id, p.Micros) })
	} else {
		found.From, found.Behind = time.Unix(start, 0), s.behind
		for i := range pending {
			g.of(pending[i].Key, pending[i].Text).Cell.Merge(&pending[i].Cell)
		}
		err = s.cells(ctx, series, "", start, end, func(_ int64, key []byte, c *rollup.Cell) {
			if known := g[string(key)]; known != nil {
				known.Cell.Merge(c)
			} else {
				g.of(string(key), "").Cell.Merge(c)
			}
		})
	}
	if err != nil {
		return view.Groups{}, err
	}
	found.Groups = g.sorted()
	return found, s.texts(ctx, series, found.Groups[:min(len(found.Groups), maxTexts)])
}

// groups are the figures by key.
type groups map[string]*view.Group

func (g groups) of(key, text string) *view.Group {
	known := g[key]
	if known == nil {
		known = &view.Group{Key: key, Text: text}
		g[key] = known
	}
	return known
}

// sorted returns the groups, those with most time first.
func (g groups) sorted() []view.Group {
	all := make([]view.Group, 0, len(g))
	for _, group := range g {
		all = append(all, *group)
	}
	slices.SortFunc(all, func(a, b view.Group) int {
		return cmp.Or(cmp.Compare(b.Cell.Sum, a.Cell.Sum), cmp.Compare(b.Cell.Count, a.Cell.Count), cmp.Compare(a.Key, b.Key))
	})
	return all
}

// Hours implements view.Store.
func (r *Reader) Hours(ctx context.Context, series rollup.Series, key string, from, to time.Time) (view.Hours, error) {
	start, end := whole(rollup.Hour, from, to)
	var pending []rollup.Delta
	s, err := r.snapshot(ctx, func(d *rollup.Deltas) { pending = d.Hours(series, start, end) })
	if err != nil {
		return view.Hours{}, err
	}
	defer s.close()
	hours := map[int64]*rollup.Cell{}
	group := view.Group{Key: key}
	merge := func(start int64, _ []byte, c *rollup.Cell) {
		if hours[start] == nil {
			hours[start] = &rollup.Cell{}
		}
		hours[start].Merge(c)
	}
	for i := range pending {
		if pending[i].Key == key {
			group.Text = pending[i].Text
			merge(pending[i].Hour, nil, &pending[i].Cell)
		}
	}
	if err := s.cellsOf(ctx, rollup.Hour, series, key, start, end, merge); err != nil {
		return view.Hours{}, err
	}
	one := []view.Group{group}
	if err := s.texts(ctx, series, one); err != nil {
		return view.Hours{}, err
	}
	found := view.Hours{Text: one[0].Text, Behind: s.behind}
	for _, start := range slices.Sorted(maps.Keys(hours)) {
		found.Hours = append(found.Hours, view.Hour{Start: time.Unix(start, 0), Cell: *hours[start]})
	}
	return found, nil
}

// cells calls f with the figures of a key, or of all (""), from one hour to another: of days that are whole, and else of
// hours. The cell is another's after the call.
func (s *snapshot) cells(ctx context.Context, series rollup.Series, key string, start, end int64, f func(start int64, key []byte, c *rollup.Cell)) error {
	firstDay, lastDay := rollup.Day.Start(start+int64(rollup.Day)-1), rollup.Day.Start(end)
	if lastDay < end { // the last day is whole too when nothing came behind the end, as when that is now
		var later bool
		if err := s.QueryRowContext(ctx, anyLater, series.Project, series.Source, rollup.Hour, end).Scan(&later); err != nil {
			return explain(err)
		}
		if !later {
			end = lastDay + int64(rollup.Day)
			lastDay = end
		}
	}
	if firstDay >= lastDay {
		firstDay, lastDay = end, end
	}
	for _, part := range []struct {
		span       rollup.Span
		start, end int64
	}{{rollup.Hour, start, firstDay}, {rollup.Day, firstDay, lastDay}, {rollup.Hour, lastDay, end}} {
		if part.start == part.end {
			continue
		}
		if err := s.cellsOf(ctx, part.span, series, key, part.start, part.end, f); err != nil {
			return err
		}
	}
	return nil
}

func (s *snapshot) cellsOf(ctx context.Context, span rollup.Span, series rollup.Series, key string, start, end int64, f func(int64, []byte, *rollup.Cell)) error {
	statement, args := cellsBetween, []any{series.Project, series.Source, span, start, end}
	if key != "" {
		statement, args = cellsOfKey, append(args, key)
	}
	var at int64
	var name, encoded sql.RawBytes
	var cell rollup.Cell
	return query(ctx, s, func(rows *sql.Rows) error {
		if err := scan(rows, &at, &name, &encoded); err != nil {
			return err
		}
		if cell.Decode(encoded) == nil { // whoever adds to a damaged one tells it, and begins it anew
			f(at, name, &cell)
		}
		return nil
	}, statement, args...)
}

// isFew tells whether so many records or fewer began in a span.
func (s *snapshot) isFew(ctx context.Context, series rollup.Series, from, to time.Time, most int) (bool, error) {
	var n int
	err := s.QueryRowContext(ctx, countFew, series.Project, series.Source, from.UnixMicro(), to.UnixMicro(), most+1).Scan(&n)
	return n <= most, explain(err)
}

// points calls f with what the records of a span come to.
func (s *snapshot) points(ctx context.Context, series rollup.Series, from, to time.Time, f func(id int64, p *rollup.Point)) error {
	r := record.Record{Project: series.Project, Source: series.Source}
	var id int64
	var attributes sql.RawBytes
	return query(ctx, s, func(rows *sql.Rows) error {
		if err := scan(rows, &id, &r.DurationMS, &r.Name, &attributes); err != nil {
			return err
		}
		r.Attributes = attributes
		if p := rollup.Derive(&r); p.Key != "" {
			f(id, &p)
		}
		return nil
	}, recordsBetween, series.Project, series.Source, from.UnixMicro(), to.UnixMicro())
}

// texts fills in what the keys stand for, by the names that the tables have of them.
func (s *snapshot) texts(ctx context.Context, series rollup.Series, groups []view.Group) error {
	at := make(map[string]*view.Group, len(groups))
	for i := range groups {
		at[groups[i].Key] = &groups[i]
	}
	keys, err := json.Marshal(slices.Collect(maps.Keys(at)))
	if err != nil {
		return err
	}
	return query(ctx, s, func(rows *sql.Rows) error {
		var key, text string
		err := scan(rows, &key, &text)
		if at[key] != nil {
			at[key].Text = text
		}
		return err
	}, textsOfKeys, series.Project, series.Source, string(keys))
}
