package sqlite

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"database/sql"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/rollup"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/storetest"
	"github.com/bitville/listener/shared/view"
	"github.com/bitville/listener/shared/view/viewtest"
)

var _ view.Store = (*Reader)(nil)

// requests are pages with their statements, over three days until a time.
func requests(rng *rand.Rand, until time.Time, pages int) (all []record.Record) {
	for n := range pages {
		began := until.Add(-time.Duration(rng.Int64N(int64(70 * time.Hour))))
		if n%3 == 0 {
			began = until.Add(-time.Duration(rng.Int64N(int64(50 * time.Minute))))
		}
		add := func(source, name, attributes string) {
			ms := rng.ExpFloat64() * 100
			r := record.Record{CorrelationID: fmt.Sprintf("00000000-0000-4000-8000-%012x", n), Project: []string{"shop", "blog"}[n%2], Source: source,
				Timestamp: began.UnixMicro() + int64(len(all)), DurationMS: &ms, Name: name, Attributes: []byte(attributes), Payload: []byte(fmt.Sprintf(`{"n":%d}`, len(all))), Digest: int64(len(all))}
			if rng.IntN(20) == 0 {
				r.DurationMS = nil
			}
			all = append(all, r)
		}
		add(view.PHP, fmt.Sprintf("/page/%d?q=%d", rng.IntN(1000), n), []string{"", `{"route":"a"}`, `{"route":"b/c"}`}[rng.IntN(3)])
		for range rng.IntN(6) {
			k := rng.IntN(12)
			add(view.Postgres, fmt.Sprintf("SELECT %d FROM t%d", n, k), []string{"", fmt.Sprintf(`{"query_id":%d}`, k+1), `{"nested":true}`, `{"kind":"pg_stat_statements"}`}[rng.IntN(4)])
		}
	}
	return all
}

// oracle answers from the records as they were inserted.
func oracle(records []record.Record) *viewtest.Memory {
	m := &viewtest.Memory{}
	for _, r := range records {
		m.Entries = append(m.Entries, store.Entry{CorrelationID: r.CorrelationID, Project: r.Project, Source: r.Source, Timestamp: time.UnixMicro(r.Timestamp),
			DurationMS: r.DurationMS, Name: r.Name, Attributes: string(r.Attributes), Payload: string(r.Payload)})
	}
	return m
}

// What pages read is what the records say, wherever their rollups are: written, in memory, derived for the read, or some here and some there.
func TestViewStore(t *testing.T) {
	now := time.Now()
	records := requests(rand.New(rand.NewPCG(6, 6)), now, 700)
	third := len(records) / 3
	path := filepath.Join(t.TempDir(), "bitville.db")
	db := keepingAt(t, path, func() time.Time { return now })
	insert(t, db, records[:third])
	flush(t, db)
	insert(t, db, records[third:2*third])
	reader, err := OpenReader(t.Context(), path)
	require.NoError(t, err)
	defer reader.Close()
	for _, c := range []struct {
		name    string
		prepare func()
		store   *Reader
		records int
	}{
		{"some written, some in memory", func() {}, db.Reader, 2 * third},
		{"another process", func() {}, reader, 2 * third},
		{"another process, when a round is not over", func() {
			require.NoError(t, db.writer.do(t.Context(), func(*sql.Conn) error {
				db.writer.rollups.begin()
				db.writer.rollups.step()
				db.writer.rollups.round = nil
				return nil
			}))
		}, reader, 2 * third},
		{"while one batch is being written", func() {
			require.NoError(t, db.writer.do(t.Context(), func(*sql.Conn) error {
				db.writer.rollups.deltas.Take(db.writer.rollups.deltas.Batches()[0])
				return nil
			}))
			insert(t, db, records[2*third:])
		}, db.Reader, len(records)},
		{"while it catches up", func() {
			require.NoError(t, db.writer.do(t.Context(), func(*sql.Conn) error {
				db.writer.rollups.deltas = rollup.Deltas{}
				return nil
			}))
		}, db.Reader, len(records)},
		{"all written", func() {
			db.writer.rollups.fallBehind()
			caughtUp(t, db)
		}, db.Reader, len(records)},
		{"another process, all written", func() {}, reader, len(records)},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.prepare()
			requireSameViews(t, oracle(records[:c.records]), c.store, now)
		})
	}
}

func requireSameViews(t *testing.T, want *viewtest.Memory, got *Reader, now time.Time) {
	ctx := t.Context()
	to := now.Truncate(time.Hour).Add(time.Hour) // where the hours end
	routes, statements := rollup.Series{Project: "shop", Source: view.PHP}, rollup.Series{Project: "shop", Source: view.Postgres}
	same := func(what string, want, got any, errs ...error) {
		t.Helper()
		for _, err := range errs {
			require.NoError(t, err)
		}
		require.Equal(t, want, got, what)
	}
	for _, span := range []time.Duration{2 * time.Hour, 24 * time.Hour, 70 * time.Hour} {
		from := now.Add(-span)
		start := from.Truncate(time.Minute)
		w, e1 := want.Projects(ctx, start, to)
		g, e2 := got.Projects(ctx, from, to)
		same("projects", w, g, e1, e2)
		for _, series := range []rollup.Series{routes, statements, {Project: "none", Source: view.PHP}} {
			w, e1 := want.Minutes(ctx, series, start, to)
			g, e2 := got.Minutes(ctx, series, from, to)
			same("minutes", len(w), len(g), e1, e2)
			for i := range w {
				same("minutes", w[i], g[i])
			}

			begins := from.Truncate(time.Hour)
			wg, e1 := want.Groups(ctx, series, begins, to)
			gg, e2 := got.Groups(ctx, series, from, to)
			same("where groups begin", begins.Unix(), gg.From.Unix(), e1, e2)
			require.Zero(t, gg.Behind)
			same("groups", groupTexts(wg.Groups), groupTexts(gg.Groups))
			for _, group := range wg.Groups {
				wh, e1 := want.Hours(ctx, series, group.Key, begins, to)
				gh, e2 := got.Hours(ctx, series, group.Key, from, to)
				same("hours", hourTexts(wh), hourTexts(gh), e1, e2)
				require.Equal(t, normal(series, text(t, got, series, group.Key)), normal(series, gh.Text))
			}
		}
		for _, key := range []string{"", groupOf(t, got, routes, "a").Key} {
			ws, e1 := want.Slowest(ctx, "shop", from, now, key, 1000)
			gs, e2 := got.Slowest(ctx, "shop", from, now, key, 30)
			require.NoError(t, e1)
			require.NoError(t, e2)
			require.False(t, gs.Exact)
			require.Equal(t, ws.Requests[:5], gs.Requests[:5], "the slowest of all are among the slowest of their hours")
			require.True(t, slices.IsSortedFunc(gs.Requests, func(a, b store.Entry) int { return -compare(*a.DurationMS, *b.DurationMS) }))
			for _, e := range gs.Requests {
				require.Contains(t, ws.Requests, e)
			}
		}
	}
	for _, span := range []time.Duration{time.Hour, 17 * time.Minute} {
		from := now.Add(-span)
		for _, key := range []string{"", groupOf(t, got, routes, "a").Key, "none"} {
			ws, e1 := want.Slowest(ctx, "shop", from, now, key, 20)
			gs, e2 := got.Slowest(ctx, "shop", from, now, key, 20)
			same("the slowest", len(ws.Requests), len(gs.Requests), e1, e2)
			for i := range ws.Requests {
				same("the slowest", ws.Requests[i], gs.Requests[i])
			}
			require.True(t, gs.Exact)
		}
	}
	from, until := now.Add(-60*time.Hour).Truncate(time.Hour), now.Add(-14*time.Hour).Truncate(time.Hour)
	wg, e1 := want.Groups(ctx, statements, from, until)
	gg, e2 := got.Groups(ctx, statements, from, until)
	same("groups of a span that ends before now", groupTexts(wg.Groups), groupTexts(gg.Groups), e1, e2)
	from = now.Add(-17 * time.Minute)
	wg, e1 = want.Groups(ctx, statements, from, now)
	gg, e2 = got.Groups(ctx, statements, from, now)
	same("groups of less than an hour", groupTexts(wg.Groups), groupTexts(gg.Groups), e1, e2)
	require.Equal(t, from, gg.From)

	wl, e1 := want.Latest(ctx, "blog", now.Add(-time.Minute), 25)
	gl, e2 := got.Latest(ctx, "blog", now.Add(-time.Minute), 25)
	same("latest", wl, gl, e1, e2)
	ids := []string{storetest.Record(4).CorrelationID, storetest.Record(10).CorrelationID, storetest.Record(3).CorrelationID, "none"}
	wr, e1 := want.RecordsOf(ctx, "shop", ids)
	gr, e2 := got.RecordsOf(ctx, "shop", ids)
	require.NoError(t, e1)
	require.NoError(t, e2)
	require.ElementsMatch(t, wr, gr)
	require.NotEmpty(t, gr)
	we, e1 := want.Exemplars(ctx, "shop", []int64{9, 4, 100_000, 1, 2, 3})
	ge, e2 := got.Exemplars(ctx, "shop", []int64{9, 4, 100_000, 1, 2, 3})
	require.NoError(t, e1)
	require.NoError(t, e2)
	require.ElementsMatch(t, we, ge)
	for _, id := range ids {
		for _, project := range []string{"shop", "blog"} {
			w, e1 := want.Records(ctx, project, id)
			g, e2 := got.Records(ctx, project, id)
			for i := range g {
				require.Equal(t, now.UnixMicro(), g[i].CreatedAt.UnixMicro())
				g[i].CreatedAt = time.Time{}
			}
			same("records", w, g, e1, e2)
		}
		w, e1 := want.ProjectsOf(ctx, id)
		g, e2 := got.ProjectsOf(ctx, id)
		same("projects of an id", w, g, e1, e2)
	}
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// groupTexts are groups as text, by key. Statements of one key differ in their literals.
func groupTexts(groups []view.Group) (all []string) {
	for _, g := range groups {
		all = append(all, fmt.Sprintf("%s %t %x", g.Key, g.Text != "", g.Cell.Append(nil)))
	}
	slices.Sort(all)
	return all
}

func hourTexts(hours view.Hours) (all []string) {
	for _, h := range hours.Hours {
		all = append(all, fmt.Sprintf("%d %x", h.Start.Unix(), h.Cell.Append(nil)))
	}
	return append(all, fmt.Sprint(hours.Text != "", hours.Behind))
}

func groupOf(t *testing.T, r *Reader, series rollup.Series, text string) view.Group {
	groups, err := r.Groups(t.Context(), series, time.Now().Add(-100*time.Hour), time.Now())
	require.NoError(t, err)
	for _, g := range groups.Groups {
		if g.Text == text {
			return g
		}
	}
	t.Fatalf("%q is not among the groups", text)
	return view.Group{}
}

func text(t *testing.T, r *Reader, series rollup.Series, key string) string {
	groups, err := r.Groups(t.Context(), series, time.Now().Add(-100*time.Hour), time.Now())
	require.NoError(t, err)
	for _, g := range groups.Groups {
		if g.Key == key {
			return g.Text
		}
	}
	return ""
}

// normal takes the literal out of a statement.
func normal(series rollup.Series, text string) string {
	if _, table, ok := strings.Cut(text, "FROM"); ok && series.Source == view.Postgres {
		return table
	}
	return text
}
