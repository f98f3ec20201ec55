package infra_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// The workflow runs .ci/run with the Go that go.mod names, on the pinned dependencies and on the latest.
func TestWorkflow(t *testing.T) {
	text, err := os.ReadFile(root + "/.github/workflows/test.yml")
	require.NoError(t, err)
	type step struct {
		If, Run, Uses string
		With          map[string]string
	}
	var workflow struct {
		On   map[string]any
		Jobs map[string]struct {
			Strategy struct {
				Matrix struct{ Dependencies []string }
			}
			Steps []step
		}
	}
	require.NoError(t, yaml.Unmarshal(text, &workflow))
	require.Contains(t, workflow.On, "pull_request")
	job := workflow.Jobs["test"]
	require.Equal(t, []string{"pinned", "latest"}, job.Strategy.Matrix.Dependencies)

	at := func(match func(step) bool) int { return slices.IndexFunc(job.Steps, match) }
	goes := at(func(s step) bool {
		return strings.HasPrefix(s.Uses, "actions/setup-go@") && s.With["go-version-file"] == "go.mod"
	})
	latest := at(func(s step) bool {
		return s.If == "matrix.dependencies == 'latest'" && strings.HasPrefix(s.Run, "go get -u ") && strings.HasSuffix(s.Run, "./... && go mod tidy")
	})
	tests := at(func(s step) bool { return s.If == "" && s.Run == ".ci/run" })
	require.True(t, 0 < goes && goes < latest && latest < tests, "Go is step %d, the latest dependencies %d, the tests %d", goes, latest, tests)
	info, err := os.Stat(filepath.Join(root, job.Steps[tests].Run))
	require.NoError(t, err)
	require.NotZero(t, info.Mode()&0o100, "it can be run")
}
