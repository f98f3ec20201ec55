package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/rollup"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/view"
)

// What one read returns at most.
const (
	exactIndexed = 500_000  // records of which the slowest are found in the index alone
	maxLatest    = 20_000   // records among which the latest requests are looked for
	maxRecords   = 5_000    // under one correlation id
	maxPayloads  = 16 << 20 // bytes of their payloads, opened
	maxListed    = 16 << 20 // bytes of the records of a list, payloads not counted
)

// Slowest implements view.Store.
func (r *Reader) Slowest(ctx context.Context, project string, from, to time.Time, routeKey string, limit int) (view.Slowest, error) {
	series := rollup.Series{Project: project, Source: view.PHP}
	start, end := whole(rollup.Hour, from, to)
	var pending []rollup.Delta
	s, err := r.snapshot(ctx, func(d *rollup.Deltas) { pending = d.Hours(series, start, end) })
	if err != nil {
		return view.Slowest{}, err
	}
	defer s.close()
	exact := to.Sub(from) <= exactSpan
	if exact {
		most := exactRecords
		if routeKey == "" {
			most = exactIndexed
		}
		if exact, err = s.isFew(ctx, series, from, to, most); err != nil {
			return view.Slowest{}, err
		}
	}
	found := view.Slowest{Exact: exact}
	if !exact {
		found.Behind = s.behind
	}
	var ids []int64
	var micros map[int64]int64
	switch {
	case exact && routeKey == "":
		ids, err = s.ids(ctx, slowestRecords, project, view.PHP, from.UnixMicro(), to.UnixMicro(), limit)
	case exact:
		var all []rollup.Exemplar
		err = s.points(ctx, series, from, to, func(id int64, p *rollup.Point) {
			if p.Key == routeKey && p.Micros >= 0 {
				all = append(all, rollup.Exemplar{Micros: p.Micros, ID: id})
			}
		})
		ids, micros = slowest(all, limit)
	default:
		var all []rollup.Exemplar
		for i := range pending {
			if routeKey == "" || pending[i].Key == routeKey {
				all = append(all, pending[i].Slowest()...)
			}
		}
		err = s.cells(ctx, series, routeKey, start, end, func(_ int64, _ []byte, c *rollup.Cell) { all = append(all, c.Slowest()...) })
		ids, micros = slowest(all, 2*limit) // some may have begun before the span, or be purged
	}
	if err != nil {
		return view.Slowest{}, err
	}
	entries, ids, _, err := s.entries(ctx, recordsByIDs, project, ids)
	for i := range entries {
		e := &entries[i]
		ms, known := micros[ids[i]]
		stale := e.Source != view.PHP || known && ms != point(e).Micros // another record has the id now
		if !stale && !e.Timestamp.Before(from) && e.Timestamp.Before(to) {
			found.Requests = append(found.Requests, *e)
		}
	}
	slices.SortStableFunc(found.Requests, func(a, b store.Entry) int { return cmp.Compare(*b.DurationMS, *a.DurationMS) })
	found.Requests = found.Requests[:min(limit, len(found.Requests))]
	return found, err
}

// slowest returns the ids of the n slowest, the slowest first, and how long they took.
func slowest(all []rollup.Exemplar, n int) (ids []int64, micros map[int64]int64) {
	slices.SortFunc(all, func(a, b rollup.Exemplar) int {
		return cmp.Or(cmp.Compare(b.Micros, a.Micros), cmp.Compare(a.ID, b.ID))
	})
	micros = map[int64]int64{}
	for _, e := range all[:min(n, len(all))] {
		ids = append(ids, e.ID)
		micros[e.ID] = e.Micros
	}
	return ids, micros
}

// point derives what an entry comes to.
func point(e *store.Entry) rollup.Point {
	return rollup.Derive(&record.Record{Project: e.Project, Source: e.Source, Timestamp: e.Timestamp.UnixMicro(), DurationMS: e.DurationMS,
		Name: e.Name, Attributes: []byte(e.Attributes)})
}

// ids runs a query for ids.
func (s *snapshot) ids(ctx context.Context, statement string, args ...any) (found []int64, err error) {
	err = query(ctx, s, func(rows *sql.Rows) error {
		var id int64
		err := scan(rows, &id)
		found = append(found, id)
		return err
	}, statement, args...)
	return found, err
}

// entries returns a project's records, in the order of the ids or correlation ids, and their ids. whole is false when there
// was no room for the last of them.
func (s *snapshot) entries(ctx context.Context, statement, project string, list any) (found []store.Entry, ids []int64, whole bool, err error) {
	encoded, err := json.Marshal(list)
	if err != nil {
		return nil, nil, false, err
	}
	bytes := 0
	err = query(ctx, s, func(rows *sql.Rows) error {
		var id int64
		e, err := scanEntry(rows, &id)
		if bytes += len(e.Name) + len(e.Attributes); err == nil && bytes > maxListed {
			err = errEnough
		}
		if err == nil {
			found, ids = append(found, e), append(ids, id)
		}
		return err
	}, statement, project, string(encoded))
	return found, ids, bytes <= maxListed, err
}

// scanEntry reads the columns of an entry but for its payload, and those that the statement has behind them.
func scanEntry(rows *sql.Rows, more ...any) (e store.Entry, err error) {
	var micros int64
	err = scan(rows, append([]any{&e.CorrelationID, &e.Project, &e.Source, &micros, &e.DurationMS, &e.Name, &e.Attributes}, more...)...)
	e.Timestamp = time.UnixMicro(micros)
	return e, err
}

// read begins a read that needs no rollups.
func (r *Reader) read(ctx context.Context) (*snapshot, error) {
	tx, err := r.pool.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	return &snapshot{Tx: tx}, explain(err)
}

// Latest implements view.Store. They are looked for among the project's last records.
func (r *Reader) Latest(ctx context.Context, project string, before time.Time, limit int) (found []store.Entry, err error) {
	s, err := r.read(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	ids, err := s.ids(ctx, latestRecords, project, view.PHP, before.UnixMicro(), maxLatest, limit)
	if err != nil {
		return nil, err
	}
	found, _, _, err = s.entries(ctx, recordsByIDs, project, ids)
	return found, err
}

// Exemplars implements view.Store.
func (r *Reader) Exemplars(ctx context.Context, project string, ids []int64) (found []store.Entry, err error) {
	s, err := r.read(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	found, _, _, err = s.entries(ctx, recordsByIDs, project, ids)
	return found, err
}

// RecordsOf implements view.Store. Of requests whose records are too many for one read it has none: the last of the list.
func (r *Reader) RecordsOf(ctx context.Context, project string, correlationIDs []string) ([]store.Entry, error) {
	s, err := r.read(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	found, _, whole, err := s.entries(ctx, recordsOfRequests, project, correlationIDs)
	if n := len(found); n > 0 && !whole {
		last := found[n-1].CorrelationID
		found = slices.DeleteFunc(found, func(e store.Entry) bool { return e.CorrelationID == last })
	}
	return slices.DeleteFunc(found, func(e store.Entry) bool { return point(&e).Key == "" }), err
}

// Records implements view.Store. The payloads are PHP's, then those of the statements that took longest, as far as there is
// room.
func (r *Reader) Records(ctx context.Context, project, correlationID string) (found []store.Entry, err error) {
	s, err := r.read(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	var ids []int64
	bytes := 0
	err = query(ctx, s, func(rows *sql.Rows) error {
		var created, id int64
		e, err := scanEntry(rows, &created, &id)
		e.CreatedAt = time.UnixMicro(created)
		if bytes += len(e.Name) + len(e.Attributes); err == nil && bytes > maxListed {
			err = errEnough
		}
		if err == nil {
			found, ids = append(found, e), append(ids, id)
		}
		return err
	}, recordsOfOne, correlationID, project, maxRecords)
	if err != nil {
		return nil, err
	}
	return found, r.payloads(ctx, s, found, ids)
}

func (r *Reader) payloads(ctx context.Context, s *snapshot, entries []store.Entry, ids []int64) error {
	at := make(map[int64]*store.Entry, len(ids))
	for i := range entries {
		at[ids[i]] = &entries[i]
	}
	order := slices.Clone(ids)
	slices.SortStableFunc(order, func(a, b int64) int {
		return cmp.Or(cmp.Compare(at[a].Source, at[b].Source), cmp.Compare(duration(at[b]), duration(at[a]))) // php_agent is first
	})
	list, err := json.Marshal(order)
	if err != nil {
		return err
	}
	bytes := 0
	return query(ctx, s, func(rows *sql.Rows) error {
		var id int64
		var stored any
		if err := scan(rows, &id, &stored); err != nil {
			return err
		}
		payload, err := r.packer.unpack(stored)
		if err != nil {
			return fmt.Errorf("read a record of %s: %w", at[id].CorrelationID, err)
		}
		if bytes += len(payload); bytes > maxPayloads {
			return errEnough
		}
		at[id].Payload = payload
		return nil
	}, payloadsByIDs, string(list))
}

// duration is -1 for what is not known.
func duration(e *store.Entry) float64 {
	if e.DurationMS == nil {
		return -1
	}
	return *e.DurationMS
}

// ProjectsOf implements view.Store.
func (r *Reader) ProjectsOf(ctx context.Context, correlationID string) (found []string, err error) {
	err = query(ctx, r.pool, func(rows *sql.Rows) error {
		var project string
		err := scan(rows, &project)
		found = append(found, project)
		return err
	}, projectsOf, correlationID)
	return found, err
}
