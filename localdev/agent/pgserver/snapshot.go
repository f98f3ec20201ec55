package pgserver

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bitville/listener/localdev/agent/pgrecord"
	"github.com/bitville/listener/shared/statement"
)

// Snapshots are what pg_stat_statements counted from one minute to the next.
type Snapshots struct {
	DB       *DB
	Project  string
	Redact   bool // no literal leaves this host
	Interval time.Duration
	Put      func(records ...[]byte) error
	Read     func(records int) // counts
	Log      *slog.Logger
	Now      func() time.Time

	texts texts
	last  map[rowKey]counters // of the snapshot before
	at    time.Time
}

// maxRows is how many statements one snapshot tells of: those that took most of the time.
const maxRows = 500

type rowKey struct{ user, database, query, top string }

// counters are the values of one row that only grow, by name. Integers have no point.
type counters map[string]string

// Normalised returns PostgreSQL's own text of a query id, which has no values, and "" where there is none.
func (s *Snapshots) Normalised(ctx context.Context, queryID string) string {
	return s.texts.normalised(ctx, s.DB, queryID)
}

// Run takes a snapshot each interval until ctx ends. The first tells nothing: it is what the next is compared with.
func (s *Snapshots) Run(ctx context.Context) {
	broken := false
	for {
		err := s.take(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil && !broken {
			s.Log.Error("no snapshot of pg_stat_statements; the next one tells of this time too", "error", err.Error())
		}
		broken = err != nil
		select {
		case <-ctx.Done():
			return
		case <-time.After(s.Interval):
		}
	}
}

func (s *Snapshots) take(ctx context.Context) error {
	schema, err := schemaOf(ctx, s.DB)
	if err != nil {
		return err
	}
	at := s.Now()
	r, err := s.DB.query(ctx, `SELECT s.*, d.datname, r.rolname FROM `+schema+`.pg_stat_statements(false) s
		LEFT JOIN pg_database d ON d.oid = s.dbid LEFT JOIN pg_roles r ON r.oid = s.userid`)
	if err != nil {
		return fmt.Errorf("read pg_stat_statements: %w", err)
	}
	now, who := parse(r)
	if s.last == nil {
		s.last, s.at = now, at
		return nil
	}
	grown := make(map[rowKey]counters)
	for key, row := range now {
		if d := delta(s.last[key], row); d["calls"] != "0" {
			grown[key] = d
		}
	}
	keys := slices.SortedFunc(maps.Keys(grown), func(a, b rowKey) int {
		return cmp.Or(-cmp.Compare(number(grown[a]["total_exec_time"]), number(grown[b]["total_exec_time"])), cmp.Compare(a.query, b.query), cmp.Compare(a.user, b.user), cmp.Compare(a.database, b.database), cmp.Compare(a.top, b.top))
	})
	keys = keys[:min(len(keys), maxRows)]
	if err := s.texts.load(ctx, s.DB, schema, keys); err != nil {
		return err
	}
	id := pgrecord.Derived(s.Project, "pg_stat_statements", s.DB.cfg.Host, strconv.Itoa(int(s.DB.cfg.Port)), pgrecord.Seconds(at))
	var records [][]byte
	for _, key := range keys {
		if text := s.texts.of(key.query); text != "" {
			records = append(records, s.record(id, key, grown[key], text, who[key], at))
		}
	}
	if len(records) > 0 {
		if err := s.Put(records...); err != nil {
			return err // the next one tells of both intervals
		}
		s.Read(len(records))
	}
	s.last, s.at = now, at
	return nil
}

// record is one row of the difference.
func (s *Snapshots) record(id string, key rowKey, row counters, text string, who [2]string, at time.Time) []byte {
	if _, rest, ok := statement.ID(text); ok { // of the request that was the first; it joins nothing
		text = rest
	}
	if s.Redact { // utility statements keep their literals
		text = statement.Mask(text)
	}
	text, isCut := pgrecord.Clip(text, pgrecord.MaxQuery)
	var f, counted pgrecord.Fields
	f.Text("project", s.Project)
	f.Text("correlation_id", id)
	f.Number("timestamp", pgrecord.Seconds(s.at))
	f.Number("duration_ms", cmp.Or(row["total_exec_time"], "null"))
	f.Text("query", text)
	f.Is("query_truncated", isCut)
	f.Text("kind", "pg_stat_statements")
	f.Number("calls", row["calls"])
	f.Number("query_id", key.query)
	f.Text("database", who[0])
	f.Text("user", who[1])
	f.Is("nested", key.top == "f")
	f.Text("correlation", "derived")
	counted.Number("interval_ms", strconv.FormatInt(at.Sub(s.at).Milliseconds(), 10))
	for _, name := range slices.Sorted(maps.Keys(row)) {
		counted.Number(name, row[name])
	}
	f.Raw("profiling_data", counted.End())
	return f.End()
}

// renamed are columns whose names changed, each with the name of PostgreSQL 17.
var renamed = map[string]string{"total_time": "total_exec_time", "blk_read_time": "shared_blk_read_time", "blk_write_time": "shared_blk_write_time"}

// OIDs of the types of counters.
const int4, int8, float8, numeric = 23, 20, 701, 1700

// parse sorts the rows out, whatever columns the version has: numbers that only grow are counters, the rest is not.
func parse(r result) (rows map[rowKey]counters, who map[rowKey][2]string) {
	rows, who = make(map[rowKey]counters), make(map[rowKey][2]string)
	for i := range r.rows {
		var key rowKey
		var names [2]string
		row := make(counters)
		for c, name := range r.names {
			value := r.text(i, c)
			switch name {
			case "userid":
				key.user = value
			case "dbid":
				key.database = value
			case "queryid":
				key.query = value
			case "toplevel":
				key.top = value
			case "datname":
				names[0] = value
			case "rolname":
				names[1] = value
			default:
				if t := r.types[c]; t != int4 && t != int8 && t != float8 && t != numeric || isNoCounter(name) {
					continue
				}
				if r.types[c] == float8 && !strings.ContainsAny(value, ".e") {
					value += ".0"
				}
				row[cmp.Or(renamed[name], name)] = value
			}
		}
		if key.query != "" { // NULL: the role may not see it
			rows[key], who[key] = row, names
		}
	}
	return rows, who
}

func isNoCounter(name string) bool {
	kind, _, _ := strings.Cut(name, "_")
	return slices.Contains([]string{"min", "max", "mean", "stddev"}, kind)
}

// delta is what a row grew by. One that shrank was reset, and grew from 0.
func delta(before, now counters) counters {
	if number(now["calls"]) < number(before["calls"]) || number(now["total_exec_time"]) < number(before["total_exec_time"]) {
		before = nil
	}
	grown := make(counters, len(now))
	for name, value := range now {
		if strings.ContainsAny(value, ".e") {
			grown[name] = strconv.FormatFloat(max(0, number(value)-number(before[name])), 'f', 6, 64)
			continue
		}
		a, _ := strconv.ParseInt(value, 10, 64)
		b, _ := strconv.ParseInt(before[name], 10, 64)
		grown[name] = strconv.FormatInt(max(0, a-b), 10)
	}
	return grown
}

func number(text string) float64 {
	n, _ := strconv.ParseFloat(text, 64)
	return n
}
