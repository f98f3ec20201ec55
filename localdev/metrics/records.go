package metrics

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
)

// records counts what becomes of the records of each source and project.
type records struct {
	accepted, duplicate, rejected *prometheus.CounterVec

	fields map[origin][]string // of the contract, by which rejections are counted
}

type origin struct{ source, project string }

func newRecords(make promauto.Factory, cfg Config) records {
	labels := []string{"source", "project"}
	r := records{
		accepted: make.NewCounterVec(prometheus.CounterOpts{Name: "bitville_records_accepted_total",
			Help: "Records that were stored."}, labels),
		duplicate: make.NewCounterVec(prometheus.CounterOpts{Name: "bitville_records_duplicate_total",
			Help: "Records that were stored before, and sent again."}, labels),
		rejected: make.NewCounterVec(prometheus.CounterOpts{Name: "bitville_records_rejected_total",
			Help: "Records that break a rule, by the field that broke the first; attributes: any field beside the contract's; record: the whole."},
			[]string{"source", "project", "reason"}),
		fields: map[origin][]string{},
	}
	for _, source := range cfg.Sources {
		for _, project := range cfg.Projects {
			r.accepted.WithLabelValues(source.ID, project)
			r.duplicate.WithLabelValues(source.ID, project)
			fields := []string{"project", "correlation_id", "timestamp", "duration_ms", source.NameField, "profiling_data"}
			for _, reason := range append(fields, "record", "attributes") {
				r.rejected.WithLabelValues(source.ID, project, reason)
			}
			r.fields[origin{source.ID, project}] = fields
		}
	}
	return r
}

// Records counts what became of the records of a request. Sources and projects that Config does not name are not
// counted.
func (m *Metrics) Records(c store.Count) {
	fields, ok := m.records.fields[origin{c.Source, c.Project}]
	if !ok {
		return
	}
	m.records.accepted.WithLabelValues(c.Source, c.Project).Add(float64(c.Stored.Accepted))
	m.records.duplicate.WithLabelValues(c.Source, c.Project).Add(float64(c.Stored.Duplicates))
	for i := range c.Rejected {
		m.records.rejected.WithLabelValues(c.Source, c.Project, reason(c.Rejected[i].Details, fields)).Inc()
	}
}

// reason returns the label for a record by the first of its problems. A problem's path may be a name that the
// sender chose; it never becomes a label.
func reason(problems []record.Detail, fields []string) string {
	switch {
	case len(problems) == 0 || problems[0].Path == "":
		return "record"
	case slices.Contains(fields, problems[0].Path):
		return problems[0].Path
	}
	return "attributes"
}
