package intake

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/web"
)

// store stores the records of a batch and counts what became of them, by source. Those of each source are one insert, of record.MaxRecords at the most. An error
// says that some may not be stored.
func (h *handler) store(r *http.Request, project string, batch record.Batch) (sum store.Result, err error) {
	// A client that hangs up does not take back what it sent.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), web.TimeLeft(r.Context(), storeTimeout))
	defer cancel()
	sources, records := bySource(batch.Records, func(r record.Record) string { return r.Source })
	for i, source := range sources {
		// Others must not wait for the transaction of a body whose wire has no limit of records.
		for some := range slices.Chunk(records[i], record.MaxRecords) {
			stored, err := h.Store.Insert(ctx, some)
			if err != nil {
				return sum, unavailable(err)
			}
			h.Count(store.Count{Source: source, Project: project, Stored: stored})
			sum.Accepted += stored.Accepted
			sum.Duplicates += stored.Duplicates
		}
	}
	sources, rejected := bySource(batch.Rejected, func(r record.Rejection) string { return cmp.Or(r.Source, h.wire.Name()) })
	for i, source := range sources {
		h.Count(store.Count{Source: source, Project: project, Rejected: rejected[i]})
	}
	return sum, nil
}

// bySource groups what a body held by its source, in the order of the first of each. There is mostly one source, whose
// group is the list itself.
func bySource[T any](all []T, source func(T) string) (sources []string, groups [][]T) {
	for _, one := range all {
		if name := source(one); !slices.Contains(sources, name) {
			sources = append(sources, name)
		}
	}
	if len(sources) == 1 {
		return sources, [][]T{all}
	}
	groups = make([][]T, len(sources))
	for _, one := range all {
		i := slices.Index(sources, source(one))
		groups[i] = append(groups[i], one)
	}
	return sources, groups
}
