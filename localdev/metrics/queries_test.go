package metrics_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/bitville/listener/localdev/metrics"
)

// expressions returns every query of the dashboard as Prometheus would get it, and of the alerts, with their legends.
func expressions(t *testing.T) (all [][2]string) {
	t.Helper()
	d := readDashboard(t)
	variables := strings.NewReplacer("$__rate_interval", "5m", "$instance", ".*", "$project", ".*")
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			all = append(all, [2]string{variables.Replace(target.Expr), target.LegendFormat})
		}
	}
	for _, a := range d.Annotations.List {
		all = append(all, [2]string{variables.Replace(a.Expr), ""})
	}
	for _, a := range readAlerts(t) {
		all = append(all, [2]string{a.Expr, a.Annotations["summary"]})
	}
	for _, v := range d.Templating.List[1:] { // label_values(name, label)
		name, label, _ := strings.Cut(strings.Trim(strings.TrimPrefix(v.Definition, "label_values"), "()"), ", ")
		all = append(all, [2]string{fmt.Sprintf("sum by (%s) (%s)", label, name), ""})
	}
	return all
}

// Prometheus can read every query of the dashboard.
func TestQueriesParse(t *testing.T) {
	type rule struct {
		Record string `yaml:"record"`
		Expr   string `yaml:"expr"`
	}
	var rules []rule
	for i, e := range expressions(t) {
		require.NotContains(t, e[0], "$", "a variable that is not known")
		rules = append(rules, rule{fmt.Sprintf("query_%d", i), e[0]})
	}
	file, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "queries.yml")
	require.NoError(t, os.WriteFile(path, file, 0o600))
	out, err := promtool(t, "", "check", "rules", path)
	require.NoError(t, err, "%s", out)
}

var (
	seriesText   = regexp.MustCompile(`\b(up|(?:bitville|process|go)_[a-z0-9_]+)(?:\{(.*?)\})?`)
	matcherText  = regexp.MustCompile(`(\w+)(=~|!=|!~|=)"(.*?)"`)
	groupingText = regexp.MustCompile(`\bby \((.*?)\)`)
	legendText   = regexp.MustCompile(`\{\{ ?(?:\$labels\.)?(\w+) ?\}\}`)
)

// unknown tells what of a query and its legend asks for what no page has: a series, a label, a label's value. A page is
// the labels of each series, by its name.
func unknown(expr, legend string, page map[string][]map[string]string) (problems []string) {
	labels := map[string]bool{"instance": true, "job": true}
	for _, selector := range seriesText.FindAllStringSubmatch(expr, -1) {
		found := slices.ContainsFunc(page[selector[1]], func(has map[string]string) bool {
			for name := range has {
				labels[name] = true
			}
			for _, m := range matcherText.FindAllStringSubmatch(selector[2], -1) {
				value, ok := has[m[1]]
				if m[1] == "instance" || m[1] == "job" {
					continue // Prometheus's own
				}
				pattern := "^" + regexp.QuoteMeta(m[3]) + "$"
				if strings.HasSuffix(m[2], "~") {
					pattern = "^(?:" + m[3] + ")$"
				}
				if !ok || regexp.MustCompile(pattern).MatchString(value) != (m[2][0] == '=') {
					return false
				}
			}
			return true
		})
		if !found {
			problems = append(problems, "no series "+selector[0])
		}
	}
	grouping := groupingText.FindAllStringSubmatch(expr, -1)
	kept := labels
	for _, by := range grouping {
		kept = map[string]bool{}
		for label := range strings.SplitSeq(by[1], ", ") {
			if kept[label] = true; !labels[label] {
				problems = append(problems, "no label "+label)
			}
		}
	}
	for _, label := range legendText.FindAllStringSubmatch(legend, -1) {
		if label[1] != "value" && !kept[label[1]] {
			problems = append(problems, "nothing for "+label[0])
		}
	}
	return problems
}

// Whatever the dashboard and the alerts ask for is there, from the start.
func TestQueriesMeetSeries(t *testing.T) {
	page := map[string][]map[string]string{"up": {{}}}
	for text := range series(t, scrape(t, metrics.New(config()))) {
		name, _, _ := strings.Cut(text, "{")
		labels := map[string]string{}
		for _, l := range matcherText.FindAllStringSubmatch(text, -1) {
			labels[l[1]] = l[3]
		}
		page[name] = append(page[name], labels)
	}
	for _, e := range expressions(t) {
		require.Empty(t, unknown(e[0], e[1], page), "%s, with the legend %q", e[0], e[1])
	}
	for expr, want := range map[string][]string{ // the check notices
		`rate(bitville_nothing_total[5m])`:                                            {"no series bitville_nothing_total"},
		`bitville_http_requests_total{status="200", route="/ingest/ruby"}`:            {`no series bitville_http_requests_total{status="200", route="/ingest/ruby"}`},
		`bitville_udp_dropped_total{reason=~"kernel|none"} > 0`:                       nil,
		`sum by (reason, project) (bitville_udp_dropped_total{reason!~"kernel"})`:     {"no label project"},
		`sum by (reason) (bitville_udp_dropped_total{reason!~".*"})`:                  {`no series bitville_udp_dropped_total{reason!~".*"}`},
		`time() - bitville_ready{instance=~"a"} + process_start_tome_seconds{job=""}`: {`no series process_start_tome_seconds{job=""}`},
	} {
		require.Equal(t, want, unknown(expr, "", page), expr)
	}
	require.Equal(t, []string{"nothing for {{status}}"}, unknown("sum by (route) (bitville_http_requests_total)", "{{route}} {{status}}", page))
}
