package infra_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
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
