package metrics_test

import (
	"encoding/json"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

const dashboardFile = root + "/infra/grafana/bitville.json"

// panel is a dashboard's panel; a row has no more than its title.
type panel struct {
	ID          int
	Type, Title string
	Description string
	Datasource  datasource
	GridPos     struct{ X, Y, W, H int }
	Targets     []struct {
		RefID, Expr, LegendFormat string
		Datasource                datasource
	}
	FieldConfig struct {
		Defaults struct {
			Unit       string
			Thresholds struct{ Steps []struct{ Color string } }
		}
	}
}

type datasource struct{ Type, UID string }

type dashboard struct {
	Title, UID    string
	SchemaVersion int
	Panels        []panel
	Annotations   struct{ List []struct{ Expr string } }
	Templating    struct {
		List []struct{ Name, Type, Definition string }
	}
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	data, err := os.ReadFile(dashboardFile)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &d))
	for _, uid := range regexp.MustCompile(`"uid": "(.*?)"`).FindAllStringSubmatch(string(data), -1) {
		require.Contains(t, []string{d.UID, "${datasource}"}, uid[1], "whoever imports it chooses the data source")
	}
	return d
}

// There is no Grafana in the tests: what it needs of a dashboard is checked here. Each panel has a unit, a legend, a line
// of text and a place of its own.
func TestDashboard(t *testing.T) {
	d := readDashboard(t)
	require.NotEmpty(t, d.Title)
	require.NotEmpty(t, d.UID)
	require.GreaterOrEqual(t, d.SchemaVersion, 39)
	require.Equal(t, "datasource", d.Templating.List[0].Type)
	require.Equal(t, "datasource", d.Templating.List[0].Name, "the others ask it")
	ids, titles, taken := map[int]bool{}, map[string]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		require.False(t, ids[p.ID], "%s: another panel has its id", p.Title)
		require.False(t, titles[p.Title], "%s: another panel has its title", p.Title)
		ids[p.ID], titles[p.Title] = true, true
		require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				cell := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				require.Empty(t, taken[cell], "%s lies over it", p.Title)
				taken[cell] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		require.Contains(t, []string{"stat", "timeseries"}, p.Type, p.Title)
		require.Equal(t, datasource{"prometheus", "${datasource}"}, p.Datasource, p.Title)
		require.NotEmpty(t, p.Description, p.Title)
		require.NotEmpty(t, p.FieldConfig.Defaults.Unit, p.Title)
		require.NotEmpty(t, p.FieldConfig.Defaults.Thresholds.Steps, p.Title)
		require.NotEmpty(t, p.Targets, p.Title)
		refs := map[string]bool{}
		for _, target := range p.Targets {
			require.Equal(t, p.Datasource, target.Datasource, p.Title)
			require.NotEmpty(t, target.Expr, p.Title)
			require.NotEmpty(t, target.LegendFormat, p.Title)
			require.False(t, refs[target.RefID], p.Title)
			refs[target.RefID] = true
		}
	}
	for _, row := range []string{"Traffic", "Records", "Store", "Edge: TLS, keys, datagrams, connections", "Process"} {
		require.True(t, titles[row], row)
	}
}
