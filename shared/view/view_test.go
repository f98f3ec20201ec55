package view_test

import (
	"math"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/profile"
	"github.com/bitville/listener/shared/view"
	"github.com/bitville/listener/shared/view/viewtest"
)

// views are those of the real batch, an hour after its last record.
func views(t testing.TB) *view.Views {
	raw, err := os.ReadFile("../../testdata/payloads/batch.ndjson")
	require.NoError(t, err)
	m, err := viewtest.New(raw)
	require.NoError(t, err)
	last := m.Entries[0].Timestamp
	for _, e := range m.Entries {
		if e.Timestamp.After(last) {
			last = e.Timestamp
		}
	}
	return &view.Views{Store: m, Now: func() time.Time { return last.Add(30 * time.Minute) }}
}

func all(string) bool { return true }

// TestBatch holds the figures that are known of the real batch.
func TestBatch(t *testing.T) {
	v, ctx := views(t), t.Context()
	projects, err := v.Projects(ctx, all)
	require.NoError(t, err)
	require.Len(t, projects.Projects, 1)
	require.EqualValues(t, 6, projects.Projects[0].Requests)
	require.InDelta(t, 1, *projects.Projects[0].BothHalves, 0)

	list, err := v.Requests(ctx, "shop", time.Hour, "", 50)
	require.NoError(t, err)
	type row struct {
		name       string
		statements int
		gap        float64 // per cent of the time in the database
	}
	var rows []row
	for _, r := range list.Requests {
		rows = append(rows, row{r.Name, r.Statements, math.Round(100 * *r.GapMS / max(*r.GapMS+*r.PostgresMS, 0.001))})
	}
	require.Equal(t, []row{{"/", 2, 41}, {"/product/42?ref=&utm_source=", 10, 97}, {"/product/7", 10, 93},
		{"/category/3?page=&size=", 7, 96}, {"/category/11?page=&size=", 5, 85}, {"/admin/nope", 0, 0}}, rows, "slowest first")

	routes, err := v.Routes(ctx, "shop", time.Hour, 50)
	require.NoError(t, err)
	var product view.Row
	for _, r := range routes.Routes {
		if r.Route == "/product/*" {
			product = r
		}
	}
	require.EqualValues(t, 2, product.Count)

	one, err := v.Route(ctx, "shop", product.Key, time.Hour)
	require.NoError(t, err)
	require.Len(t, one.Slowest, 2)
	require.Equal(t, view.Use{Key: "q-4809347790509537418", Text: one.Statements[1].Text, Requests: 2, Count: 14, TotalMS: one.Statements[1].TotalMS}, one.Statements[1])
	require.InDelta(t, 0.23, *one.Statements[1].TotalMS, 1e-9)
	require.Equal(t, "/product/*", one.Route)

	statements, err := v.Statements(ctx, "shop", time.Hour, 50)
	require.NoError(t, err)
	s, err := v.Statement(ctx, "shop", statements.Statements[0].Key, time.Hour)
	require.NoError(t, err)
	require.Equal(t, statements.Statements[0].Figures, s.Figures)
	require.NotEmpty(t, s.Slowest[0].Name)
	require.NotEmpty(t, s.Routes)

	_, err = v.Statement(ctx, "shop", "nothing", time.Hour)
	require.ErrorIs(t, err, view.ErrNotFound)
}

func TestPlanAndProfile(t *testing.T) {
	v, ctx := views(t), t.Context()
	const id = "e8673bf2-8014-425e-8dcd-18f64f8c3668"
	l, err := v.Look(ctx, "shop", id)
	require.NoError(t, err)
	require.Equal(t, "8.28 of 15.0 ms went between PHP and Postgres: 10 statements, 0.27 ms in Postgres", l.Verdict)

	p, err := v.Plan(ctx, "shop", id, 2)
	require.NoError(t, err)
	require.Contains(t, p.Text, "LIMIT ?")
	require.NotEmpty(t, p.Lines)
	require.NotContains(t, p.Copy, "= 42")
	v.Values = true
	p, err = v.Plan(ctx, "shop", id, 2)
	require.NoError(t, err)
	require.Contains(t, p.Copy, "= 42")
	v.Values = false
	for _, n := range []int{0, -1, 11} {
		_, err = v.Plan(ctx, "shop", id, n)
		require.ErrorIs(t, err, view.ErrNotFound)
	}

	f, err := v.Profile(ctx, "shop", id, 0)
	require.NoError(t, err)
	require.Nil(t, f.Function)
	require.Contains(t, f.Notes, profile.NoFlameGraph)
	f, err = v.Profile(ctx, "shop", id, 1)
	require.NoError(t, err)
	require.Equal(t, "PDOStatement::execute", f.Function.Name)
	require.NotEmpty(t, f.Function.Callers)
	_, err = v.Profile(ctx, "shop", id, len(f.Functions)+1)
	require.ErrorIs(t, err, view.ErrNotFound)
	_, err = v.Profile(ctx, "blog", id, 0)
	require.ErrorIs(t, err, view.ErrNotFound)
}
