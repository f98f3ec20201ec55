package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
)

// records holds what is counted for the records of each source and project.
type records map[origin]outcomes

type origin struct{ source, project string }

type outcomes struct {
	accepted, duplicate prometheus.Counter
	rejected            map[string]prometheus.Counter // by the path of the first problem
	attributes          prometheus.Counter            // rejected for a field that the contract does not name
}

func newRecords(make promauto.Factory, cfg Config) records {
	labels := []string{"source", "project"}
	accepted := make.NewCounterVec(prometheus.CounterOpts{Name: "bitville_records_accepted_total",
		Help: "Records that were stored."}, labels)
	duplicate := make.NewCounterVec(prometheus.CounterOpts{Name: "bitville_records_duplicate_total",
		Help: "Records that were stored before, and sent again."}, labels)
	rejected := make.NewCounterVec(prometheus.CounterOpts{Name: "bitville_records_rejected_total",
		Help: "Records that break a rule, by the field that broke the first; attributes: any field beside the contract's; record: the whole."},
		[]string{"source", "project", "reason"})

	all := records{}
	for _, source := range cfg.Sources {
		for _, project := range cfg.Projects {
			one := outcomes{
				accepted:   accepted.WithLabelValues(source.ID, project),
				duplicate:  duplicate.WithLabelValues(source.ID, project),
				rejected:   map[string]prometheus.Counter{"": rejected.WithLabelValues(source.ID, project, "record")},
				attributes: rejected.WithLabelValues(source.ID, project, "attributes"),
			}
			for _, field := range []string{"project", "correlation_id", "timestamp", "duration_ms", source.NameField, "profiling_data"} {
				one.rejected[field] = rejected.WithLabelValues(source.ID, project, field)
			}
			all[origin{source.ID, project}] = one
		}
	}
	return all
}

// Records counts what became of the records of a request. Sources and projects that Config does not name are not
// counted.
func (m *Metrics) Records(c store.Count) {
	of, ok := m.records[origin{c.Source, c.Project}]
	if !ok {
		return
	}
	of.accepted.Add(float64(c.Stored.Accepted))
	of.duplicate.Add(float64(c.Stored.Duplicates))
	for i := range c.Rejected {
		of.reason(c.Rejected[i].Details).Inc()
	}
}

// reason returns the counter for a record by the first of its problems. A problem's path may be a name that the
// sender chose; it never becomes a label.
func (o *outcomes) reason(problems []record.Detail) prometheus.Counter {
	path := ""
	if len(problems) > 0 {
		path = problems[0].Path
	}
	if known, ok := o.rejected[path]; ok {
		return known
	}
	return o.attributes
}
