// Package contracttest holds a listener against its HTTP contract: one table of requests and of what must
// come back, for any listener that a client can reach, in the test's process, over the wire, or deployed.
// Each answer is held against infra/openapi.yaml as well, so that the document says what the listener does,
// and the bodies against its schemas, so that it asks for what the listener takes.
//
// The table can be run again and again against one database: each run's records have new ids or later times.
package contracttest

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Target is a listener with the default limits and retention.
type Target struct {
	URL      string // scheme and address, without a path
	Client   *http.Client
	Key      string    // a live key of Project
	Project  string    // as the key spells it; the spellings of a name with "_" in it are tested, too
	Document *Document // what the answers are held against; it notes which it saw

	Limited        string // a live key that is for other routes than all of the table; "" where there is none
	WithoutImports bool   // the functions for other agents' formats are not deployed
}

// LimitedKey is one that a test's listener has beside its own, for Target.Limited, when it is given LimitedKeys.
const (
	LimitedKey  = "limited-key-0123456789"
	LimitedKeys = `BITVILLE_API_KEYS={"limited":[{"key":"` + LimitedKey + `","routes":["/nowhere"]}]}`
)

// A group is a part of the table.
type group struct {
	name  string
	cases []Case
}

// Run sends every request of the table and returns how many records the listener says that it stored.
func Run(t *testing.T, target Target) (accepted int) {
	r := newRun(target)
	accepted = r.groups(t,
		group{"routes and methods", routes()},
		group{"authentication", authentication()},
		group{"request ids", requestIDs()},
		group{"content types", contentTypes()},
		group{"content encodings", contentEncodings()},
		group{"not JSON", notJSON()},
		group{"not a record", notRecords()},
		group{"project", projectField()},
		group{"correlation_id", onBoth("correlation_id", correlationIDRules)},
		group{"timestamp", onBoth("timestamp", timestampRules)},
		group{"duration_ms", onBoth("duration_ms", durationRules)},
		group{"request_uri", on(phpRoute, php, "request_uri", nameRules(8192))},
		group{"query", on(postgresRoute, postgres, "query", nameRules(65536))},
		group{"profiling_data", onBoth("profiling_data", profilingDataRules)},
		group{"extra fields", extraFields()},
		group{"all that is wrong", detailLists()},
		group{"arrays", arrays()},
		group{"NDJSON", lines()},
		group{"duplicates", duplicates()},
		group{"limits", limits()},
		group{"real payloads", payloads(t)},
		group{"the document's examples", examples(t, target.Document)},
	)
	if !target.WithoutImports {
		accepted = r.groups(t, group{"php-profiler", xhgui()}, group{"Buggregator's client", buggregator()}, group{"OTLP", otlp()})
	}
	if target.Limited != "" {
		accepted = r.groups(t, group{"a key for other routes", limitedKey()})
	}
	return accepted
}

// run is one run of the table.
type run struct {
	Target
	now      time.Time         // what {now} is
	ids      map[string]string // what {uuid:NAME} is, by NAME
	requests int
	accepted int
}

func newRun(target Target) *run {
	client := *target.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	target.Client = &client
	return &run{Target: target, now: time.Now(), ids: map[string]string{}}
}

func (r *run) groups(t *testing.T, groups ...group) (accepted int) {
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			require.NotEmpty(t, g.cases)
			for _, c := range g.cases {
				t.Run(c.Name, func(t *testing.T) { r.do(t, c) })
			}
		})
	}
	return r.accepted
}

// repositoryFile returns the path of a file that is named from the repository's root, where go.mod stands.
func repositoryFile(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, filepath.FromSlash(name))
		}
		parent := filepath.Dir(dir)
		require.NotEqual(t, dir, parent, "no go.mod above the test's folder")
		dir = parent
	}
}
