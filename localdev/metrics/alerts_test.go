package metrics_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const (
	alertsFile = root + "/infra/prometheus/alerts.yml"
	alertsTest = root + "/infra/prometheus/alerts_test.yml"
)

type alert struct {
	Alert       string
	Expr        string
	Labels      map[string]string
	Annotations map[string]string
}

func readAlerts(t *testing.T) (all []alert) {
	t.Helper()
	var file struct{ Groups []struct{ Rules []alert } }
	readYAML(t, alertsFile, &file)
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}
	require.NotEmpty(t, all)
	return all
}

func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(data, into))
}

// Prometheus takes the rules and the example, and each alert says what is wrong, how bad it is and what to do.
func TestAlerts(t *testing.T) {
	for _, args := range [][]string{
		{"check", "config", "infra/prometheus/prometheus.yml"}, // and the rules that it names
		{"test", "rules", "infra/prometheus/alerts_test.yml"},
	} {
		out, err := promtool(t, "", args...)
		require.NoError(t, err, out)
		require.NotRegexp(t, `\b0 rule`, out, "it has checked nothing")
	}
	for _, a := range readAlerts(t) {
		require.Regexp(t, `^Bitville[A-Z]\w+$`, a.Alert)
		require.Contains(t, []string{"critical", "warning", "info"}, a.Labels["severity"], a.Alert)
		require.NotEmpty(t, a.Annotations["summary"], a.Alert)
		require.Greater(t, len(a.Annotations["runbook"]), 80, "%s: what to do is more than a word", a.Alert)
	}
}

// In its tests each alert fires, and none does with the same series at another time.
func TestAlertsAreTested(t *testing.T) {
	var file struct {
		Tests []struct {
			Name   string
			Checks []struct {
				Expr    string
				Samples []struct{ Labels string } `yaml:"exp_samples"`
			} `yaml:"promql_expr_test"`
		}
	}
	readYAML(t, alertsTest, &file)
	var tested, alerts []string
	for _, test := range file.Tests {
		tested = append(tested, test.Name)
		var fires, silent bool
		for _, check := range test.Checks {
			require.Equal(t, `count by (alertname) (ALERTS{alertstate="firing"})`, check.Expr)
			is := false
			for _, sample := range check.Samples {
				is = is || sample.Labels == fmt.Sprintf("{alertname=%q}", test.Name)
			}
			fires, silent = fires || is, silent || !is
		}
		require.True(t, fires, test.Name)
		require.True(t, silent, test.Name)
	}
	for _, a := range readAlerts(t) {
		alerts = append(alerts, a.Alert)
	}
	require.ElementsMatch(t, alerts, tested)
}
