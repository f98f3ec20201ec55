package look

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/store"
)

var began = time.Date(2026, 11, 24, 14, 2, 11, 482_000_000, time.UTC)

// page is a PHP record of so many milliseconds; a negative duration is none.
func page(ms float64, attributes string) store.Entry {
	return entry(php, "/product/42?q=secret", 0, ms, attributes, `{}`)
}

// ran is a statement that began some milliseconds after the page.
func ran(after, ms float64, text, attributes string) store.Entry {
	return entry(postgres, text, after, ms, attributes, `{"Plan":{"Node Type":"Result","Plan Rows":1,"Actual Rows":1,"Actual Loops":1,"Actual Total Time":0.01}}`)
}

func entry(source, name string, after, ms float64, attributes, payload string) store.Entry {
	e := store.Entry{CorrelationID: "e8673bf2-8014-425e-8dcd-18f64f8c3668", Project: "shop", Source: source, Name: name, Attributes: attributes, Payload: payload,
		Timestamp: began.Add(time.Duration(after * 1e6)), CreatedAt: began.Add(time.Second)}
	if ms >= 0 {
		e.DurationMS = &ms
	}
	return e
}

// loop is n times one statement, of which each ran ms and began a millisecond after the one before.
func loop(n int, ms float64, text string) (all []store.Entry) {
	for i := range n {
		all = append(all, ran(float64(i), ms, text, fmt.Sprintf(`{"session_id":"s","line_num":%d}`, i+1)))
	}
	return all
}

func kinds(l *Look) (all []string) {
	for _, f := range l.Findings {
		all = append(all, f.Kind)
	}
	return all
}

// TestRules tells what is known, and what is a finding, of requests made for it.
func TestRules(t *testing.T) {
	const lookup = "SELECT * FROM products WHERE id = 42"
	for _, c := range []struct {
		name    string
		entries []store.Entry
		gap     any // nil: not known; a number; "at most 5"
		kinds   []string
		missing []string
		verdict string
		note    string
	}{
		{"a page that waits for two hundred statements", append(loop(212, 0.95, lookup), page(1843, `{"queries":212,"db_ms":1511.4}`)),
			1310.0, []string{"repeated", "gap"}, nil, "1,310 of 1,843 ms went between PHP and Postgres: 212 statements, 201 ms in Postgres", ""},
		{"half a millisecond a statement is not the application's fault", append(loop(40, 0.1, "UPDATE a SET b = 1"), page(60, `{"queries":40,"db_ms":40}`)),
			36.0, nil, nil, "36.0 of 60.0 ms went between PHP and Postgres: 40 statements, 4.00 ms in Postgres", ""},
		{"writes are not repeated by mistake", append(loop(20, 5, "UPDATE a SET b = 1"), page(110, `{"queries":20,"db_ms":101}`)),
			1.0, nil, nil, "Postgres took 100 of 110 ms: 100 ms of it in 20 times UPDATE a SET b = ?", ""},
		{"four times is not repeated", append(loop(4, 20, lookup), page(110, `{"queries":4,"db_ms":81}`)),
			1.0, nil, nil, "Postgres took 80.0 of 110 ms: 80.0 ms of it in 4 times SELECT * FROM products WHERE id = ?", ""},
		{"fewer came than PHP says", append(loop(8, 1, "/* a */ select 1"), page(100, `{"queries":10,"db_ms":60}`)),
			"at most 52", []string{"missing_half"}, nil, "60.0 of 100 ms went to the database, of which 8.00 ms are known to be in Postgres: 8 of 10 statements came", ""},
		{"PHP gives no number", append(loop(8, 1, "select 1"), page(100, `{"db_ms":9}`)),
			"at most 1", nil, nil, "PHP itself took 91.0 of 100 ms", ""},
		{"more came than PHP says", append(loop(3, 1, "select 1"), page(100, `{"queries":2,"db_ms":9}`)),
			nil, nil, nil, "PHP itself took 91.0 of 100 ms", "PHP says that it ran 2 statements, and 3 came"},
		{"more came, and the wait is most", append(loop(3, 1, "select 1"), page(100, `{"queries":2,"db_ms":90}`)),
			nil, nil, nil, "PHP waited 90.0 of 100 ms for the database: 3 statements, 3.00 ms in Postgres", "and 3 came"},
		{"no duration of the page", append(loop(3, 1, "select 1"), page(-1, `{"queries":3,"db_ms":4}`)),
			1.0, nil, nil, "Postgres took 3.00 ms: 3.00 ms of it in 3 times select ?", ""},
		{"one that failed has no time", []store.Entry{page(100, `{"queries":1,"db_ms":9}`), ran(1, -1, "select 1", `{"sql_error_code":"42P01","error":"no relation 'x'"}`)},
			nil, nil, nil, "PHP itself took 91.0 of 100 ms", ""},
		{"one of two that failed has no time", []store.Entry{page(100, `{"queries":2,"db_ms":9}`), ran(1, -1, "select 1", ``), ran(1, 5, "select 2", ``)},
			"at most 4", nil, nil, "PHP itself took 91.0 of 100 ms", ""},
		{"nested statements count on neither side", []store.Entry{page(100, `{"queries":1,"db_ms":60}`), ran(1, 30, "SELECT f()", `{"query_id":7}`),
			ran(1, 28, "SELECT 1", `{"query_id":7,"nested":true}`)}, 30.0, nil, nil, "PHP itself took 40.0 of 100 ms", ""},
		{"Postgres ran longer than PHP waited", []store.Entry{page(100, `{"queries":1,"db_ms":60}`), ran(1, 70, "SELECT 1", "")},
			nil, nil, nil, "Postgres took 70.0 of 100 ms: one statement, SELECT ?", "Postgres ran longer (70.0 ms) than PHP waited (60.0 ms)"},
		{"PHP waited longer than it ran", []store.Entry{page(50, `{"queries":1,"db_ms":60}`), ran(1, 20, "SELECT 1", "")},
			40.0, []string{"gap"}, nil, "40.0 of 50.0 ms went between PHP and Postgres: 1 statement, 20.0 ms in Postgres", "its own time is not known"},
		{"no statement came", []store.Entry{page(100, `{"queries":3,"db_ms":60}`)},
			nil, []string{"missing_half"}, []string{"postgres"}, "60.0 of 100 ms went to the database; no statement's time came, so what took it is not known", ""},
		{"no statement ran", []store.Entry{page(100, `{"queries":0}`)}, 0.0, nil, nil, "PHP itself took 100 of 100 ms", ""},
		{"nothing is said of statements", []store.Entry{page(100, ``)},
			nil, nil, []string{"postgres"}, "The page took 100 ms; nothing tells how much of it was in the database", "The PHP agent sent no profile."},
		{"PHP does not say how long it waited", append(loop(2, 5, "select 1"), page(100, `{"queries":2}`)),
			nil, nil, nil, "Postgres ran 2 statements for 10.0 of 100 ms; PHP does not tell how long it waited", ""},
		{"no page", loop(2, 5, "select 1"), nil, []string{"missing_half"}, []string{"php"}, "2 statements took 10.0 ms in Postgres; the page's record is not here", ""},
		{"no page was there to come", []store.Entry{ran(0, 5, "VACUUM", `{"correlation":"derived"}`)}, nil, nil, nil, "1 statement took 5.00 ms in Postgres; no page ran it", ""},
		{"no durations", []store.Entry{page(-1, `{"queries":1}`), ran(0, -1, "select 1", ``)}, nil, nil, nil, "No duration came, of the page or of a statement", ""},
		{"the longer of two pages", []store.Entry{page(5, ``), page(100, `{"queries":1,"db_ms":20}`), page(-1, ``), ran(0, 5, "select 1", ``)},
			nil, nil, nil, "PHP itself took 80.0 of 100 ms", "2 other PHP records have this id"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := New(c.entries, later(c.entries), Options{})
			switch want := c.gap.(type) {
			case float64:
				require.NotNil(t, l.Time.GapMS)
				require.InDelta(t, want, *l.Time.GapMS, 1e-9)
			case string:
				require.Nil(t, l.Time.GapMS)
				require.Equal(t, want, fmt.Sprintf("at most %v", *l.Time.GapAtMostMS))
			default:
				require.Nil(t, l.Time.GapMS)
			}
			require.Equal(t, c.kinds, kinds(l))
			require.ElementsMatch(t, c.missing, l.Missing)
			require.Equal(t, c.verdict, l.Verdict)
			require.Contains(t, strings.Join(l.Notes, " "), c.note)
			requireSound(t, l)

			s := Summarize(c.entries, later(c.entries))
			require.Equal(t, l.Time.GapMS, s.GapMS)
			require.Equal(t, l.Time.PostgresMS, s.PostgresMS)
			require.ElementsMatch(t, c.kinds, s.Marks, "all of these findings need no payload")
		})
	}
}

// TestPatience: nothing counts as missing until a minute has passed since the last record came.
func TestPatience(t *testing.T) {
	for name, entries := range map[string][]store.Entry{
		"page": {page(100, `{"queries":3,"db_ms":60}`)}, "some": {page(100, `{"queries":3,"db_ms":60}`), ran(0, 1, "select 1", "")}, "statements": loop(2, 1, "select 1"),
	} {
		t.Run(name, func(t *testing.T) {
			early := entries[0].CreatedAt.Add(59 * time.Second)
			l := New(entries, early, Options{})
			require.Empty(t, l.Missing)
			require.NotContains(t, kinds(l), "missing_half")
			require.Contains(t, strings.Join(l.Notes, " "), "still be on")
			require.Empty(t, Summarize(entries, early).Marks)
			require.Contains(t, kinds(New(entries, early.Add(time.Second), Options{})), "missing_half")

			listed := slices.Clone(entries) // a list does not read when a record came
			for i := range listed {
				listed[i].CreatedAt = time.Time{}
			}
			require.Empty(t, Summarize(listed, listed[0].Timestamp.Add(50*time.Second)).Marks)
			require.Equal(t, []string{"missing_half"}, Summarize(listed, early.Add(time.Minute)).Marks)
		})
	}
}

// TestSources: where the time in the database comes from when the agent does not send it.
func TestSources(t *testing.T) {
	for _, c := range []struct {
		profile, want string
		ms            float64
		calls         int
	}{
		{`{"main()":{"ct":1,"wt":50000},"main()==>PDO::query":{"ct":2,"wt":20000}}`, "from XHProf's PDO edges", 20, 2},
		{`{"collapsed":"main;PDO::query 2\nmain 3\n","period_ms":10}`, "from the samples in PDO", 20, -1},
	} {
		entries := []store.Entry{entry(php, "/", 0, 50, `{"db_ms":"8","queries":[2]}`, c.profile), ran(1, 5, "select 1", ""), ran(8, 5, "select 1", "")}
		l := New(entries, later(entries), Options{})
		require.Equal(t, c.want, l.Time.Sources.Database)
		require.Equal(t, c.ms, *l.Time.DatabaseMS)
		if c.calls < 0 {
			require.Nil(t, l.Counts.Announced)
			require.Equal(t, 10.0, *l.Time.GapAtMostMS)
			continue
		}
		require.Equal(t, c.calls, *l.Counts.Announced)
		require.Equal(t, 10.0, *l.Time.GapMS)
	}
}

// TestServer: the whole time on the server splits the gap.
func TestServer(t *testing.T) {
	entries := []store.Entry{page(100, `{"queries":1,"db_ms":90}`), ran(1, 5, "select 1", `{"server_ms":15}`)}
	l := New(entries, later(entries), Options{})
	require.Equal(t, 15.0, *l.Time.ServerMS)
	require.Contains(t, l.Findings[0].Text, "The server had the statements for 15.0 ms, so that 75.0 ms passed outside it.")
}

// TestTimeline: equal statements that follow each other are one block, and the log's lines order what one millisecond holds.
func TestTimeline(t *testing.T) {
	entries := []store.Entry{page(50, ``),
		ran(3.9, 1, "select b", `{"session_id":"s","log_line":4}`), ran(3.1, 0.1, "select a where x = 3", `{"session_id":"s","log_line":3}`),
		ran(3.5, 0.2, "select a where x = 2", `{"session_id":"s","log_line":2}`), ran(1, 0.5, "select a where x = 1", `{"session_id":"s","log_line":1}`),
		ran(9, 2, "select a where x = 4", `{"session_id":"s","log_line":5}`)}
	l := New(entries, later(entries), Options{Values: true})
	require.Len(t, l.Timeline.Lanes, 3)
	require.Equal(t, []Block{{StartMS: 1, DurationMS: 2.7, BusyMS: 0.8, Count: 3, N: 1}, {StartMS: 9, DurationMS: 2, BusyMS: 2, Count: 1, N: 5}}, l.Timeline.Lanes[1].Blocks)
	ordered := Statements(entries)
	require.Equal(t, []string{"select a where x = 1", "select a where x = 2", "select a where x = 3", "select b", "select a where x = 4"},
		[]string{ordered[0].Name, ordered[1].Name, ordered[2].Name, ordered[3].Name, ordered[4].Name})
}

// TestTimelineOfNested: what a function runs is not between two calls of it.
func TestTimelineOfNested(t *testing.T) {
	var entries []store.Entry
	for i := range 4 {
		entries = append(entries, ran(float64(i), 0.5, "SELECT f()", ``), ran(float64(i)+0.1, 0.3, "SELECT 1", `{"nested":true}`))
	}
	for _, lane := range New(entries, later(entries), Options{}).Timeline.Lanes {
		require.Len(t, lane.Blocks, 1)
		require.Equal(t, 4, lane.Blocks[0].Count)
	}
}

// TestValues: nothing of a literal, a query string or a secret is shown unless asked for.
func TestValues(t *testing.T) {
	entries := []store.Entry{
		page(50, `{"route":"product","api_key":"hush","deep":[{"password":"hush"},"https://a/?q=hush"],"big":9007199254740993,"note":"open"}`),
		ran(1, 1, "SELECT 'hush' /* hush */ FROM t WHERE a = $$hush$$", `{"error":"bad value: \"hush\"","sql_error_code":"22P02"}`),
		ran(2, 1, "SELECT '"+strings.Repeat("x", maxTextBytes)+"hush'", ``),
		page(5, `{}`),
	}
	entries[0].Name = "/product/42?q=hush"
	entries[3].Name = "/product/43?q=hush"
	text := func(values bool) string {
		raw, err := json.Marshal(New(entries, later(entries), Options{Values: values}))
		require.NoError(t, err)
		return string(raw)
	}
	require.NotContains(t, text(false), "hush")
	require.NotContains(t, text(false), "xxx")
	require.Contains(t, text(false), `"note","value":"open"`)
	require.Contains(t, text(false), `"big","value":"9007199254740993"`)
	require.Equal(t, 9, strings.Count(text(true), "hush"))
}

// TestPlanFindings: one finding of equal plans, with the sum of their times.
func TestPlanFindings(t *testing.T) {
	sorted := `{"Plan":{"Node Type":"Sort","Sort Space Type":"Disk","Sort Space Used":512,"Sort Method":"external merge","Plan Rows":9,"Actual Rows":9,"Actual Loops":1,"Actual Total Time":%d,
		"Plans":[{"Node Type":"Seq Scan","Relation Name":"t","Parent Relationship":"Outer","Plan Rows":9,"Actual Rows":9,"Actual Loops":1,"Actual Total Time":1}]}}`
	var entries []store.Entry
	for i := range 3 {
		entries = append(entries, entry(postgres, "SELECT a FROM t ORDER BY a", float64(50*i), 41, "", fmt.Sprintf(sorted, 11+10*i)))
	}
	l := New(entries, later(entries), Options{})
	require.Equal(t, []string{"worst_node", "spilled", "missing_half"}, kinds(l))
	require.Equal(t, 60.0, *l.Findings[1].ExplainsMS)
	require.Equal(t, 3, l.Findings[1].Plan)
	require.Equal(t, 3, l.Findings[1].Times)
	require.Contains(t, l.Findings[1].Text, "The same in 3 executions.")
	require.Equal(t, []string{"worst_node", "spilled"}, l.Statements[0].Marks)
	require.NotNil(t, l.Statements[0].SlowestPlan)
}

func TestSnapshotsAreNoRequest(t *testing.T) {
	require.Nil(t, New(nil, began, Options{}))
	require.Nil(t, New([]store.Entry{ran(0, 5, "select 1", `{"kind":"pg_stat_statements"}`)}, began, Options{}))
}
