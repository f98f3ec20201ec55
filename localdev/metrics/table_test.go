package metrics_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/metrics"
)

var update = flag.Bool("update", false, "write the table of infra/metrics.md anew")

const tableFile = root + "/infra/metrics.md"

// The table in infra/metrics.md is what a page says of itself.
func TestTable(t *testing.T) {
	page := scrape(t, metrics.New(config()))
	labels := map[string]map[string]bool{}
	for text := range series(t, page) {
		name, _, _ := strings.Cut(text, "{")
		name = regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
		if labels[name] == nil {
			labels[name] = map[string]bool{}
		}
		for _, l := range matcherText.FindAllStringSubmatch(text, -1) {
			labels[name][l[1]] = l[1] != "le"
		}
	}
	types := map[string]string{}
	for _, line := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(page, -1) {
		types[line[1]] = line[2]
	}
	var table strings.Builder
	for _, line := range regexp.MustCompile(`(?m)^# HELP (bitville_\S+) (.+)$`).FindAllStringSubmatch(page, -1) {
		var names []string
		for label, is := range labels[line[1]] {
			if is {
				names = append(names, "`"+label+"`")
			}
		}
		slices.Sort(names)
		meaning := line[2]
		if types[line[1]] == "histogram" {
			meaning += " A histogram."
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", line[1], strings.Join(names, ", "), meaning)
	}
	text, err := os.ReadFile(tableFile)
	require.NoError(t, err)
	before, have, found := strings.Cut(string(text), "|---|---|---|\n")
	require.True(t, found)
	if *update {
		require.NoError(t, os.WriteFile(tableFile, []byte(before+"|---|---|---|\n"+table.String()), 0o644))
		return
	}
	require.Equal(t, table.String(), have, "go test ./localdev/metrics -run TestTable -update writes it anew")
}
