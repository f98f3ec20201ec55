package profile

import (
	"compress/gzip"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the goldens anew")

// payloads are the profiles of real requests, by file and URL.
func payloads(t testing.TB) map[string]json.RawMessage {
	t.Helper()
	profiles := make(map[string]json.RawMessage)
	for _, name := range []string{"php-xhprof.json", "php-xhprof-large.json.gz", "php-excimer-speedscope.json", "php-excimer-collapsed.json", "batch.ndjson"} {
		f, err := os.Open("../../testdata/payloads/" + name)
		require.NoError(t, err)
		defer f.Close()
		var r io.Reader = f
		if strings.HasSuffix(name, ".gz") {
			r, err = gzip.NewReader(f)
			require.NoError(t, err)
		}
		for records := json.NewDecoder(r); records.More(); {
			var record struct {
				URI     string          `json:"request_uri"`
				Profile json.RawMessage `json:"profiling_data"`
			}
			require.NoError(t, records.Decode(&record))
			if name == "batch.ndjson" && record.URI != "" {
				path, _, _ := strings.Cut(record.URI, "?")
				profiles["batch"+strings.ReplaceAll(path, "/", "-")] = record.Profile
			} else if record.URI != "" {
				name, _, _ := strings.Cut(name, ".")
				profiles[name] = record.Profile
			}
		}
	}
	require.Len(t, profiles, 10)
	return profiles
}

// TestPayloads: the goldens hold what a page shows of each real profile.
func TestPayloads(t *testing.T) {
	for name, raw := range payloads(t) {
		t.Run(name, func(t *testing.T) {
			p := Parse(raw)
			requireSound(t, p)
			databaseMS, hasDatabase := p.DatabaseMS()
			calls, hasCalls := p.DatabaseCalls()
			flame := p.Flame(0.01, 40)
			busiest := ""
			for _, f := range p.Functions {
				if f.Name != "{closure}" {
					busiest = f.Name
					break
				}
			}
			callers, callees := p.Butterfly(busiest)
			got, err := json.MarshalIndent(map[string]any{
				"kind": p.Kind, "notes": p.Notes, "skipped": p.Skipped, "total_ms": p.TotalMS, "known_stacks": p.KnownStacks,
				"has": []bool{p.HasCPU, p.HasMemory, p.HasPeak}, "count": len(p.Functions), "functions": p.Functions[:min(20, len(p.Functions))],
				"database": []any{databaseMS, hasDatabase, calls, hasCalls}, "hot_path": p.HotPath, "flame": flame,
				"busiest": busiest, "callers": callers, "callees": callees,
			}, "", "\t")
			require.NoError(t, err)
			golden := filepath.Join("testdata", name+".golden")
			if *update {
				require.NoError(t, os.WriteFile(golden, append(got, '\n'), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err, "go test -update writes it")
			require.Equal(t, string(want), string(got)+"\n")
		})
	}
}

// TestFigures holds real profiles against figures that were counted apart, from the payloads' text.
func TestFigures(t *testing.T) {
	raw := payloads(t)
	for _, c := range []struct {
		name       string
		totalMS    float64
		databaseMS float64
		statements int64
	}{
		// As the agent, which times each statement itself, says: 17.01, 15.17, 8.55, 4.71, 1.03 ms.
		{"php-xhprof", 17.733, 17.002, 2},
		{"batch-", 17.766, 15.159, 2},
		{"batch-product-42", 13.518, 8.508, 10}, // 16.9 with the builtins that tideways lists twice
		{"batch-category-3", 5.361, 4.696, 7},
		{"batch-category-11", 2.916, 1.027, 5},
		{"php-xhprof-large", 113.732, 10.082, 3},
	} {
		p := Parse(raw[c.name])
		ms, ok := p.DatabaseMS()
		require.True(t, ok, c.name)
		calls, ok := p.DatabaseCalls()
		require.True(t, ok, c.name)
		require.InDelta(t, c.totalMS, p.TotalMS, 1e-6, c.name)
		require.InDelta(t, c.databaseMS, ms, 1e-6, c.name)
		require.Equal(t, c.statements, calls, c.name)

		var self float64
		for _, f := range p.Functions {
			self += f.SelfMS
		}
		require.InDelta(t, p.TotalMS, self, 0.1, "%s: self times are the whole", c.name)
	}
	for _, name := range []string{"php-excimer-speedscope", "php-excimer-collapsed", "batch-product-7"} {
		_, ok := Parse(raw[name]).DatabaseMS()
		require.False(t, ok, "Excimer leaves out PHP's own functions: %s", name)
	}

	// Of 796 names, levels apart, 286 have one caller all the way up, with 4.5 % of the self time.
	var r edgeReader
	c := cursor{b: raw["php-xhprof-large"]}
	for name := range c.members() {
		r.read(name, &c)
	}
	vertices, functions := graph(r.vertices.list, r.calls)
	require.Len(t, vertices, 796)
	require.Len(t, functions, 646)
	state, share := knownStacks(vertices)
	require.InDelta(t, 0.0451, share, 0.0001)
	count, several, twins := 0, 0, 0
	for i, v := range vertices {
		if state[i] {
			count++
		}
		if v.callers > 1 && !(v.callers == 2 && v.root) {
			several++
		}
		if v.twin {
			twins++
		}
	}
	require.Equal(t, []int{286, 155, 138}, []int{count, several, twins})
}

// TestTwins: a builtin that tideways lists twice has its calls once and keeps its callers; a function that calls itself has all.
func TestTwins(t *testing.T) {
	p := Parse(payloads(t)["batch-product-42"])
	execute := p.Functions[0]
	require.Equal(t, "PDOStatement::execute", execute.Name)
	require.Equal(t, int64(10), execute.Calls)
	require.InDelta(t, 8.428, execute.SelfMS, 1e-9)
	require.InDelta(t, 8.428, execute.TotalMS, 1e-9)
	require.Equal(t, Builtin, execute.Origin)
	callers, callees := p.Butterfly(execute.Name)
	require.Empty(t, callees)
	require.Len(t, callers, 1)
	require.Equal(t, `Shop\Catalog\Connection::all`, callers[0].Name)
	require.Equal(t, int64(10), callers[0].Calls)

	p = Parse([]byte(`{"main()":{"ct":1,"wt":100},"main()==>f":{"ct":1,"wt":90},"f==>f@1":{"ct":1,"wt":80},"main()==>f@1":{"ct":1,"wt":1}}`))
	require.Equal(t, int64(3), p.Functions[0].Calls, "f@1 has another caller, and is no builtin's second entry")
	p = Parse([]byte(`{"main()":{"ct":1,"wt":100},"main()==>f":{"ct":1,"wt":90},"f==>f@1":{"ct":2,"wt":80},"f@1==>g":{"ct":2,"wt":10}}`))
	f := p.Functions[0]
	require.Equal(t, Function{Name: "f", Calls: 3, SelfMS: 0.08, TotalMS: 0.09}, f)
}

// requireSound holds what is true of every profile, however it came about.
func requireSound(t testing.TB, p *Profile) {
	t.Helper()
	const rounding = 1e-6
	names := make(map[string]bool)
	var self float64
	for i, f := range p.Functions {
		require.False(t, names[f.Name], "functions are unique: %q", f.Name)
		names[f.Name] = true
		require.GreaterOrEqual(t, f.SelfMS, 0.0)
		require.GreaterOrEqual(t, f.TotalMS, f.SelfMS, f.Name)
		require.GreaterOrEqual(t, p.TotalMS, f.TotalMS, f.Name)
		require.GreaterOrEqual(t, f.Calls, int64(0))
		if i > 0 {
			require.GreaterOrEqual(t, p.Functions[i-1].SelfMS, f.SelfMS, "by self time")
		}
		self += f.SelfMS
	}
	require.GreaterOrEqual(t, p.KnownStacks, 0.0)
	require.LessOrEqual(t, p.KnownStacks, 1+rounding)
	ms, _ := p.DatabaseMS()
	require.GreaterOrEqual(t, ms, 0.0)
	require.LessOrEqual(t, ms, p.TotalMS)
	calls, _ := p.DatabaseCalls()
	require.GreaterOrEqual(t, calls, int64(0))
	for i, step := range p.HotPath {
		require.LessOrEqual(t, step.MS, p.TotalMS, step.Name)
		require.False(t, i == 0 && step.Shared && step.Callers < 2)
	}
	if len(p.Functions) > 0 {
		callers, callees := p.Butterfly(p.Functions[0].Name)
		for _, call := range append(callers, callees...) {
			require.True(t, names[call.Name])
			require.NotEqual(t, p.Functions[0].Name, call.Name)
			require.LessOrEqual(t, call.MS, p.TotalMS*(1+rounding))
		}
	}
	_, err := json.Marshal([]any{p.Functions, p.Spans, p.HotPath, p.Flame(0, 100), p.Notes})
	require.NoError(t, err, "no figure is infinite")

	switch p.Kind {
	case Samples:
		require.InEpsilon(t, p.TotalMS+1, self+1, rounding, "each sample is the self time of one function")
		requireTree(t, p)
	case Spans:
		for i, s := range p.Spans {
			require.GreaterOrEqual(t, s.DurationMS, s.SelfMS)
			require.GreaterOrEqual(t, s.SelfMS, 0.0)
			require.GreaterOrEqual(t, s.StartMS, 0.0)
			require.True(t, s.Depth == 0 || i > 0 && s.Depth <= p.Spans[i-1].Depth+1)
		}
	case None, Unknown:
		require.NotEmpty(t, p.Notes)
		require.Empty(t, p.Functions)
	}
}

// requireTree: a node's weight is its own and its children's, which is what the boxes show.
func requireTree(t testing.TB, p *Profile) {
	t.Helper()
	const rounding = 1e-6
	for _, n := range p.tree.nodes {
		sum := n.self
		for c := n.first; c != 0; c = p.tree.nodes[c].next {
			require.GreaterOrEqual(t, n.total, p.tree.nodes[c].total)
			if next := p.tree.nodes[c].next; next != 0 {
				require.GreaterOrEqual(t, p.tree.nodes[c].total, p.tree.nodes[next].total, "the widest first")
			}
			sum += p.tree.nodes[c].total
		}
		require.InEpsilon(t, n.total+1, sum+1, rounding)
	}
	all := p.Flame(0, 1<<30)
	if p.TotalMS > 0 {
		require.Zero(t, all.Cut)
		require.Len(t, all.Boxes, len(p.tree.nodes)-1)
	}
	for _, maxBoxes := range []int{0, 1, 7} {
		f := p.Flame(0.001, maxBoxes)
		require.LessOrEqual(t, len(f.Boxes), maxBoxes)
		require.Len(t, all.Boxes, len(f.Boxes)+f.Cut)
		self := f.CutMS
		for i, b := range f.Boxes {
			self += b.SelfMS
			require.GreaterOrEqual(t, b.Width, 0.001)
			require.GreaterOrEqual(t, b.X, 0.0)
			require.LessOrEqual(t, b.X+b.Width, 1+rounding)
			require.True(t, b.Depth == 0 || i > 0 && b.Depth <= f.Boxes[i-1].Depth+1, "the box above is drawn")
			require.Less(t, b.Depth, f.Rows)
		}
		if p.TotalMS > 0 {
			require.InEpsilon(t, p.TotalMS+1, self+1, rounding)
		}
	}
}
