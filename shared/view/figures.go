package view

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/bitville/listener/shared/look"
	"github.com/bitville/listener/shared/rollup"
)

// Figures are those of one route or statement in a span. Durations are of the records that have one; quantiles are at most
// 3.1 % off.
type Figures struct {
	Count   int64    `json:"count"`
	P50MS   *float64 `json:"p50_ms,omitzero"`
	P95MS   *float64 `json:"p95_ms,omitzero"`
	P99MS   *float64 `json:"p99_ms,omitzero"`
	MaxMS   *float64 `json:"max_ms,omitzero"`
	TotalMS *float64 `json:"total_ms,omitzero"`
}

// Row is one route or statement of a list.
type Row struct {
	Key   string   `json:"key"`            // rollup.Other: all that are beyond the cap of keys
	Route string   `json:"route,omitzero"` // of a route
	Text  string   `json:"text,omitzero"`  // of a statement
	Share *float64 `json:"share,omitzero"` // of the time of the whole list, 0 to 1
	Figures
}

// Hourly are the figures of an hour.
type Hourly struct {
	Start look.Timestamp `json:"start"`
	Figures
}

func figures(c *rollup.Cell) Figures {
	f := Figures{Count: c.Count}
	if c.Timed == 0 {
		return f
	}
	quantile := func(percent int64) *float64 { return millis(c.Quantile(percent)) }
	f.P50MS, f.P95MS, f.P99MS = quantile(50), quantile(95), quantile(99)
	f.MaxMS = millis(c.Max())
	f.TotalMS = millis(c.Sum, true)
	return f
}

func millis(micros int64, ok bool) *float64 {
	if !ok {
		return nil
	}
	ms := float64(micros) / 1000
	return &ms
}

// rows makes a list: most time spent first. left counts those that are beyond limit.
func (v *Views) rows(source string, groups []Group, limit int) (rows []Row, left int) {
	total := 0.0
	rows = make([]Row, len(groups))
	for i := range groups {
		g := &groups[i]
		rows[i] = Row{Key: g.Key, Figures: figures(&g.Cell)}
		total += value(rows[i].TotalMS)
	}
	order := make([]int, len(groups))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(value(rows[b].TotalMS), value(rows[a].TotalMS)), cmp.Compare(rows[b].Count, rows[a].Count), cmp.Compare(rows[a].Key, rows[b].Key))
	})
	sorted := make([]Row, 0, min(limit, len(rows)))
	for _, i := range order[:min(limit, len(order))] {
		row := rows[i]
		if total > 0 && row.TotalMS != nil {
			share := *row.TotalMS / total
			row.Share = &share
		}
		switch {
		case source == PHP:
			row.Route = v.uri(groups[i].Text)
		default:
			row.Text = v.sql(groups[i].Text)
		}
		if row.Key == rollup.Other {
			row.Route, row.Text = "", ""
		}
		sorted = append(sorted, row)
	}
	return sorted, len(rows) - len(sorted)
}

// hourly returns the figures of each hour and of all.
func hourly(hours []Hour) (list []Hourly, all Figures, cell rollup.Cell) {
	list = make([]Hourly, len(hours))
	for i := range hours {
		list[i] = Hourly{look.Timestamp{Time: hours[i].Start}, figures(&hours[i].Cell)}
		cell.Merge(&hours[i].Cell)
	}
	return list, figures(&cell), cell
}

// rounded is a duration to the microsecond.
func rounded(ms *float64) *float64 {
	if ms == nil {
		return nil
	}
	r := math.Round(*ms*1000) / 1000
	return &r
}

// value is 0 for what is not known.
func value(ms *float64) float64 {
	if ms == nil {
		return 0
	}
	return *ms
}

func stamp(t time.Time) look.Timestamp { return look.Timestamp{Time: t} }
