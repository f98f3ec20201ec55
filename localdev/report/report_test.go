package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/report"
	"github.com/bitville/listener/shared/look"
	"github.com/bitville/listener/shared/plan"
	"github.com/bitville/listener/shared/profile"
	"github.com/bitville/listener/shared/view"
	"github.com/bitville/listener/shared/view/viewtest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// batch returns views of the real batch, a minute after its last record, and the id of its page.
func batch(t *testing.T, page string) (views *view.Views, id string) {
	t.Helper()
	ndjson, err := os.ReadFile("../../testdata/payloads/batch.ndjson")
	require.NoError(t, err)
	memory, err := viewtest.New(ndjson)
	require.NoError(t, err)
	var last time.Time
	for _, e := range memory.Entries {
		if e.Timestamp.After(last) {
			last = e.Timestamp
		}
		if strings.HasPrefix(e.Name, page) {
			id = e.CorrelationID
		}
	}
	require.NotEmpty(t, id)
	return &view.Views{Store: memory, Now: func() time.Time { return last.Add(10 * time.Minute) }}, id
}

func TestGoldens(t *testing.T) {
	views, id := batch(t, "/product/42")
	ctx := t.Context()
	requests, err := views.Requests(ctx, "shop", time.Hour, "", 20)
	require.NoError(t, err)
	routes, err := views.Routes(ctx, "shop", time.Hour, 20)
	require.NoError(t, err)
	statements, err := views.Statements(ctx, "shop", time.Hour, 20)
	require.NoError(t, err)
	whole, err := views.Look(ctx, "shop", id)
	require.NoError(t, err)
	plan, err := views.Plan(ctx, "shop", id, 1)
	require.NoError(t, err)
	for name, write := range map[string]func(*report.Writer){
		"requests":   func(w *report.Writer) { w.Requests(requests) },
		"routes":     func(w *report.Writer) { w.Routes(routes) },
		"statements": func(w *report.Writer) { w.Statements(statements) },
		"look":       func(w *report.Writer) { w.Look(whole) },
		"why":        func(w *report.Writer) { w.Why(whole) },
		"plan":       func(w *report.Writer) { w.Plan(plan) },
		"nothing":    func(w *report.Writer) { w.Requests(&view.Requests{Project: "shop", Exact: true}) },
	} {
		t.Run(name, func(t *testing.T) {
			var out, coloured bytes.Buffer
			w := report.New(&out, false)
			write(w)
			require.NoError(t, w.Err())
			for line := range strings.Lines(out.String()) {
				require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), 100, line)
			}
			golden := filepath.Join("testdata", name+".txt")
			if *update {
				require.NoError(t, os.WriteFile(golden, out.Bytes(), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), out.String())
			write(report.New(&coloured, true))
			require.Contains(t, coloured.String(), "\x1b[")
		})
	}
}

// What strangers sent moves no cursor, and no line is longer than the terminal.
func TestHostile(t *testing.T) {
	nasty := "\x1b[2J\x1b]0;title\a\u202egnp.exe\u0000\xff\u009b1m" + strings.Repeat("漢字", 60) + strings.Repeat("\u0301", 500) + strings.Repeat("x", 9000)
	l := &view.Look{Look: &look.Look{Name: nasty, Project: nasty[:40], CorrelationID: nasty[:40], Verdict: nasty,
		Findings:   []look.Finding{{Kind: nasty, Text: nasty, StatementText: nasty, Advice: nasty, Plan: 1}},
		Statements: []look.Statement{{Text: nasty, Marks: []string{nasty}}},
		Profile:    &look.Profile{Kind: profile.Kind(nasty[:10]), Functions: []profile.Function{{Name: nasty}}},
		Attributes: []look.Attribute{{Name: nasty, Value: nasty}}, Notes: []string{nasty}, Other: []look.Page{{Name: nasty}},
		Bar: []look.Segment{{Kind: "php", MS: -1e300, Share: 7, Source: nasty}, {Kind: nasty, MS: math.MaxFloat64, Share: -1e300}}}}
	for _, colours := range []bool{false, true} {
		var out bytes.Buffer
		w := report.New(&out, colours)
		w.Look(l)
		w.Requests(&view.Requests{Project: nasty, Route: nasty, RouteKey: nasty, Requests: []view.Request{{Name: nasty, CorrelationID: nasty[:40], Summary: look.Summary{Marks: []string{nasty}}}}})
		w.Requests(&view.Requests{Behind: 1})
		w.Routes(&view.Routes{Project: nasty, Routes: []view.Row{{Route: nasty}, {Key: nasty}}})
		w.Statements(&view.Statements{Project: nasty, Statements: []view.Row{{Text: nasty}}, LeftOut: 7, Behind: 30_000})
		w.Plan(&view.Plan{CorrelationID: nasty, Text: nasty, Notes: []string{nasty}, Findings: []plan.Finding{{Text: nasty, Advice: nasty}},
			Lines: []plan.Line{{Depth: -5, Text: nasty, Label: nasty, Marks: []string{nasty}, Conditions: []string{nasty}}, {Depth: 1 << 40, Details: []string{nasty}}}})
		require.NoError(t, w.Err())
		text := regexp.MustCompile("\x1b\\[[0-9]*m").ReplaceAllString(out.String(), "")
		require.Equal(t, colours, text != out.String())
		for _, r := range text {
			require.True(t, unicode.IsGraphic(r) || r == '\n', "%U", r)
		}
		for line := range strings.Lines(text) {
			require.LessOrEqual(t, columns(strings.TrimSuffix(line, "\n")), 100, line)
			require.LessOrEqual(t, utf8.RuneCountInString(line), 400, "marks without end")
		}
	}
}

// columns is how much room a text takes.
func columns(text string) (n int) {
	for _, r := range text {
		switch {
		case unicode.Is(unicode.Mn, r):
		case r == '漢' || r == '字':
			n += 2
		default:
			n++
		}
	}
	return n
}

// Figures that are late say so.
func TestLate(t *testing.T) {
	for _, behind := range []int64{0, 31_234} {
		for _, write := range []func(*report.Writer){
			func(w *report.Writer) { w.Requests(&view.Requests{Behind: behind}) },
			func(w *report.Writer) { w.Requests(&view.Requests{Behind: behind, Requests: make([]view.Request, 1)}) },
			func(w *report.Writer) { w.Routes(&view.Routes{Behind: behind}) },
			func(w *report.Writer) { w.Statements(&view.Statements{Behind: behind}) },
		} {
			var out bytes.Buffer
			write(report.New(&out, false))
			require.Equal(t, behind > 0, strings.Contains(out.String(), "Late: about 31234 of the last records are not counted yet.\n"), &out)
		}
	}
}

// The JSON is that of the pages, but no character of it is obeyed by a terminal.
func TestJSON(t *testing.T) {
	const nasty = "<a&b>\x1b[2J\n\u007f\u009b\u202e\u2028\U000e0041\U0001f6d2 é"
	var out bytes.Buffer
	w := report.New(&out, true)
	w.JSON(&view.Requests{Project: nasty})
	require.NoError(t, w.Err())
	require.Contains(t, out.String(), `"project":"<a&b>\u001b[2J\n\u007f\u009b\u202e\u2028\udb40\udc41🛒 é"`)
	require.Equal(t, 1, strings.Count(out.String(), "\n"))
	var page view.Requests
	require.NoError(t, json.Unmarshal(out.Bytes(), &page))
	require.Equal(t, nasty, page.Project)
	w = report.New(full{}, false)
	w.JSON(&view.Requests{})
	require.EqualError(t, w.Err(), "no space")
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space") }

func TestWriteError(t *testing.T) {
	w := report.New(full{}, false)
	w.Requests(&view.Requests{})
	require.EqualError(t, w.Err(), "no space")
}
