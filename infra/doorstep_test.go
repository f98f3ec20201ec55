package infra_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// root is the folder with the Makefile and template.yaml.
const root = ".."

// The Makefile has a dozen targets at most, make help lists each, and the pages name no others.
func TestMakefile(t *testing.T) {
	makefile, err := os.ReadFile(root + "/Makefile")
	require.NoError(t, err)
	targets := strings.Fields(string(regexp.MustCompile(`(?m)^\.PHONY: (.*)$`).FindSubmatch(makefile)[1]))
	require.LessOrEqual(t, len(targets), 12)
	var listed []string
	for _, line := range regexp.MustCompile(`(?m)^  make (\w+) +\S`).FindAllStringSubmatch(output(t, "make", "--no-print-directory", "help"), -1) {
		listed = append(listed, line[1])
	}
	require.ElementsMatch(t, targets, listed)

	pages := []string{root + "/README.md", root + "/template.yaml"}
	for _, pattern := range []string{"*.md", root + "/testdata/*/README.md"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		pages = append(pages, found...)
	}
	named := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		for _, command := range regexp.MustCompile("(?m)(?:`|&& |sudo |^ +)make ([a-z]+)").FindAllSubmatch(text, -1) {
			require.Contains(t, targets, string(command[1]), page)
			named++
		}
	}
	require.NotZero(t, named)
}

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

// Each tool is a script with a row in the page, which names the versions that the script installs.
func TestTools(t *testing.T) {
	const folder = root + "/testdata/tools/"
	page, err := os.ReadFile(folder + "README.md")
	require.NoError(t, err)
	rows := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(\\w+)` (\\|.*)$").FindAllStringSubmatch(string(page), -1) {
		rows[row[1]] = row[2]
	}
	scripts := map[string]string{}
	files, err := filepath.Glob(folder + "*.sh")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		scripts[strings.TrimSuffix(filepath.Base(file), ".sh")] = string(text)
	}
	installer := scripts["install"]
	delete(scripts, "install")
	require.Equal(t, slices.Sorted(maps.Keys(scripts)), slices.Sorted(maps.Keys(rows)))
	for name, script := range scripts {
		for _, version := range regexp.MustCompile(`[a-z-]+(?:@|==)[\d.]+`).FindAllString(script, -1) {
			require.Contains(t, rows[name], version, name)
		}
	}
	for name := range strings.FieldsSeq(regexp.MustCompile(`(?m)^for_tests=\((.*)\)$`).FindStringSubmatch(installer)[1]) {
		require.Contains(t, scripts, name)
	}

	exit := func(args ...string) (string, int) {
		cmd := exec.Command("bash", append([]string{folder + "install.sh"}, args...)...)
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	out, code := exit("--check", "nothing")
	require.Equal(t, 2, code)
	require.Contains(t, out, "There is no tool nothing; ")
}
