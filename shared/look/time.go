package look

import (
	"github.com/bitville/listener/shared/profile"
)

// Time says where a request's time went. What is not known is nil.
type Time struct {
	PHPMS      *float64 `json:"php_ms,omitzero"`      // PHP itself: the duration less DatabaseMS
	DatabaseMS *float64 `json:"database_ms,omitzero"` // what PHP waited for the database
	PostgresMS *float64 `json:"postgres_ms,omitzero"` // in the executor, of the statements that came; nested ones are in their callers' time
	GapMS      *float64 `json:"gap_ms,omitzero"`      // DatabaseMS less PostgresMS, when all statements came
	GapShare   *float64 `json:"gap_share,omitzero"`   // of DatabaseMS, 0 to 1

	// GapAtMostMS stands in place of GapMS when statements, or their times, are missing, or may be: their time is in it.
	GapAtMostMS *float64 `json:"gap_at_most_ms,omitzero"`
	// ServerMS is the statements' whole time on the server, with planning and logging. It is known when all came with server_ms.
	ServerMS *float64 `json:"server_ms,omitzero"`

	Sources Sources `json:"sources"`
}

// Sources say where each figure of Time came from; "" for one that is not known.
type Sources struct {
	PHP      string `json:"php_ms,omitzero"`
	Database string `json:"database_ms,omitzero"`
	Postgres string `json:"postgres_ms,omitzero"`
	Gap      string `json:"gap_ms,omitzero"`
}

// Counts say how many statements there should be, and how many there are. Nested ones are not in the first two.
type Counts struct {
	Announced     *int   `json:"announced,omitzero"` // by PHP; nil when it does not say
	AnnouncedFrom string `json:"announced_from,omitzero"`
	Arrived       int    `json:"arrived"`
	Nested        int    `json:"nested,omitzero"`
	Untimed       int    `json:"without_duration,omitzero"` // of those that arrived
}

// Segment is one part of the bar.
type Segment struct {
	Kind   string  `json:"kind"` // php, postgres, gap, unknown
	MS     float64 `json:"ms"`
	Share  float64 `json:"share"` // of the bar, 0 to 1
	Text   string  `json:"text"`  // what it is, and what is in it
	Source string  `json:"source"`
}

// inGap says what the gap consists of. auto_explain's duration is of the executor alone.
const inGap = "planning, network, pool, and 0.1–0.5 ms a statement for logging its plan"

// measure fills Counts and Time.
func (l *Look) measure(r *request) {
	t, c := &l.Time, &l.Counts
	inPostgres, onServer, served := 0.0, 0.0, true
	for _, h := range r.statements {
		if h.group.nested {
			c.Nested++
			continue
		}
		c.Arrived++
		if h.ms == nil {
			c.Untimed++
		} else {
			inPostgres += *h.ms
		}
		server := h.attributes.number("server_ms")
		served = served && server != nil && value(server) >= value(h.ms)
		onServer += max(value(server), 0)
	}
	l.announced(r)
	l.database(r)
	if l.DurationMS != nil && t.DatabaseMS != nil {
		if *t.DatabaseMS > *l.DurationMS {
			l.note("PHP counts more time in the database (%s) than the request took (%s), so its own time is not known.", millis(*t.DatabaseMS), millis(*l.DurationMS))
		} else {
			t.PHPMS, t.Sources.PHP = known(*l.DurationMS-*t.DatabaseMS), "the request's duration less the time in the database"
		}
	}
	if c.Arrived > c.Untimed || c.Announced != nil && *c.Announced == 0 && c.Arrived == 0 {
		t.PostgresMS, t.Sources.Postgres = known(inPostgres), "from the durations of the statements that came"
	}
	if served && c.Arrived > 0 {
		t.ServerMS = known(onServer)
	}
	l.gap(r)
}

// announced fills how many statements PHP says that it ran.
func (l *Look) announced(r *request) {
	if r.page == nil {
		return
	}
	c := &l.Counts
	if n, ok := r.page.attributes.count("queries"); ok {
		c.Announced, c.AnnouncedFrom = &n, "from the agent's queries"
	} else if r.profile != nil {
		if calls, ok := r.profile.DatabaseCalls(); ok {
			n := int(min(calls, 1<<31))
			c.Announced, c.AnnouncedFrom = &n, "from the profile's calls"
		}
	}
}

// database fills what PHP waited for the database.
func (l *Look) database(r *request) {
	if r.page == nil {
		return
	}
	t := &l.Time
	if t.DatabaseMS = r.page.attributes.number("db_ms"); t.DatabaseMS != nil {
		t.Sources.Database = "from the agent's db_ms"
		return
	}
	if r.profile != nil {
		if ms, ok := r.profile.DatabaseMS(); ok {
			t.DatabaseMS, t.Sources.Database = known(ms), map[profile.Kind]string{
				profile.Edges:   "from XHProf's PDO edges",
				profile.Samples: "from the samples in PDO",
				profile.Spans:   "from the spans with db.system",
			}[r.profile.Kind]
			return
		}
	}
	if n := l.Counts.Announced; n != nil && *n == 0 {
		t.DatabaseMS, t.Sources.Database = known(0), "PHP ran no statement"
	}
}

// gap fills the time between the halves, as far as it is known.
func (l *Look) gap(r *request) {
	t, c := &l.Time, &l.Counts
	if t.DatabaseMS == nil || t.PostgresMS == nil {
		return
	}
	switch gap := *t.DatabaseMS - *t.PostgresMS; {
	case gap < 0:
		l.note("Postgres ran longer (%s) than PHP waited (%s): statements ran side by side, or belong to another request.", millis(*t.PostgresMS), millis(*t.DatabaseMS))
	case c.Announced != nil && *c.Announced < c.Arrived:
		l.note("PHP says that it ran %s, and %s came: the time between both is not known.", statements(*c.Announced), count(c.Arrived))
	case len(r.others) > 0: // the statements may be theirs
	case c.Announced == nil || *c.Announced > c.Arrived || c.Untimed > 0:
		t.GapAtMostMS, t.Sources.Gap = known(gap), "at most: time of statements that did not come, or came without it, is in it"
	default:
		t.GapMS, t.Sources.Gap = known(gap), "the time in the database less the time in Postgres"
		if *t.DatabaseMS > 0 {
			share := *t.GapMS / *t.DatabaseMS
			t.GapShare = &share
		}
	}
}

// bar lays Time out.
func (l *Look) bar() {
	t := &l.Time
	l.Bar = []Segment{}
	sum := 0.0
	add := func(kind string, ms *float64, text, source string) {
		if value(ms) > 0 {
			sum += *ms
			l.Bar = append(l.Bar, Segment{kind, *ms, 0, text, source})
		}
	}
	between := "between PHP and Postgres: " + inGap
	add("php", t.PHPMS, "PHP itself", t.Sources.PHP)
	add("postgres", t.PostgresMS, "Postgres: the executor's time", t.Sources.Postgres)
	add("gap", t.GapMS, between, t.Sources.Gap)
	add("unknown", t.GapAtMostMS, "at most this "+between, t.Sources.Gap)
	switch {
	case t.DatabaseMS != nil && t.PostgresMS == nil:
		add("unknown", t.DatabaseMS, "the database: Postgres, and "+between, t.Sources.Database)
	case t.DatabaseMS == nil && l.DurationMS != nil:
		add("unknown", known(*l.DurationMS-max(value(t.PostgresMS), 0)), "PHP itself, and what it waited for", "the rest of the request's duration")
	case t.GapMS == nil && t.GapAtMostMS == nil && t.DatabaseMS != nil && t.PostgresMS != nil:
		add("unknown", known(*t.DatabaseMS-*t.PostgresMS), "in the database, not known where", t.Sources.Database)
	}
	for i := range l.Bar {
		l.Bar[i].Share = l.Bar[i].MS / sum
	}
}
