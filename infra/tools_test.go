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
)

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
