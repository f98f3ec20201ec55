package traces

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/look"
	"github.com/bitville/listener/shared/plan"
	"github.com/bitville/listener/shared/profile"
	"github.com/bitville/listener/shared/view"
)

func TestShortName(t *testing.T) {
	for name, short := range map[string]string{
		`Doctrine\ORM\AbstractQuery::getResult`:     "AbstractQuery::getResult",
		`Shop\Catalog\Tree::Shop\Catalog\{closure}`: "Tree::{closure}",
		`Shop\{closure}`: "{closure}",
		"{closure:/srv/www/vendor/Doctrine/autoload.php(17)}": "{autoload.php(17)}",
		`{closure:App\Bar::baz():12}`:                         "{Bar::baz():12}",
		"/srv/www/index.php":                                  "index.php",
		"strlen":                                              "strlen",
		"":                                                    "",
	} {
		require.Equal(t, short, shortName(name))
	}
}

// TestSplit holds that the bar of each request is as long as its own time.
func TestSplit(t *testing.T) {
	ms := func(x float64) *float64 { return &x }
	require.Equal(t, []rect{
		{X: "0.000%", Width: "50.000%", Kind: "php", Title: "PHP itself 5.00 ms"},
		{X: "50.000%", Width: "20.000%", Kind: "postgres", Title: "Postgres 2.00 ms"},
		{X: "70.000%", Width: "30.000%", Kind: "gap", Title: "gap 3.00 ms"},
	}, splitOf(view.Request{DurationMS: ms(10), Summary: look.Summary{PostgresMS: ms(2), GapMS: ms(3)}}))
	require.Equal(t, []rect{{X: "0.000%", Width: "100.000%", Kind: "unknown", Title: "not known 10.0 ms"}}, splitOf(view.Request{DurationMS: ms(10)}))
	require.Empty(t, splitOf(view.Request{}))
	require.Empty(t, splitOf(view.Request{DurationMS: ms(0)}))
}

// TestFindingsInOrder holds that what hardly matters stands apart, but only behind something that matters.
func TestFindingsInOrder(t *testing.T) {
	ms := func(x float64) *float64 { return &x }
	page := lookHTML{Look: &look.Look{DurationMS: ms(1000), Findings: []look.Finding{{Kind: "a", ExplainsMS: ms(300)}, {Kind: "b", ExplainsMS: ms(9)}, {Kind: "c"}}}}
	page.sortFindings()
	require.Equal(t, []look.Finding{page.Findings[0], page.Findings[2]}, page.Main)
	require.Equal(t, page.Findings[1:2], page.Minor)
	page = lookHTML{Look: &look.Look{DurationMS: ms(1000), Findings: []look.Finding{{Kind: "b", ExplainsMS: ms(9)}}}}
	page.sortFindings()
	require.Len(t, page.Main, 1)
}

func TestCallsLeadOn(t *testing.T) {
	rows := callRows([]profile.Function{{Name: "a"}, {Name: "b"}}, []profile.Call{{Name: "b"}, {Name: "x"}})
	require.Equal(t, []int{2, 0}, []int{rows[0].N, rows[1].N})
}

// TestMostTime holds that a node is not marked twice for one thing.
func TestMostTime(t *testing.T) {
	ms := func(x float64) *float64 { return &x }
	for _, marks := range [][]string{nil, {"worst_node"}} {
		rows := planRows([]plan.Line{{ExclusiveMS: ms(1)}, {ExclusiveMS: ms(5), Marks: marks}}, 2)
		require.True(t, rows[1].Worst)
		require.Equal(t, marks == nil, rows[1].MostTime)
	}
}
