package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/config"
)

// readPage reads a file of the repository.
func readPage(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", path))
	require.NoError(t, err)
	return string(text)
}

// maxWords bounds the README: a newcomer reads it to its end. The manual's pages have the rest.
const maxWords = 1200

func TestREADMELength(t *testing.T) {
	require.LessOrEqual(t, len(strings.Fields(readPage(t, "README.md"))), maxWords, "move what is too much to a page in infra")
}

// The README's map of folders names each Go package of the three trees that hold the product.
func TestREADMEFolders(t *testing.T) {
	_, folders, found := strings.Cut(readPage(t, "README.md"), "The folders")
	require.True(t, found)
	for _, tree := range []string{"functions", "shared", "localdev"} {
		entries, err := os.ReadDir(filepath.Join("..", tree))
		require.NoError(t, err)
		for _, entry := range entries {
			if entry.IsDir() {
				require.Regexp(t, `\b`+entry.Name()+`\b`, folders, "the README's map lacks the folder %s/%s", tree, entry.Name())
			}
		}
	}
}

// Each relative link of a page leads to a file or a folder.
func TestREADMELinks(t *testing.T) {
	pages := []string{"../README.md"}
	for _, pattern := range []string{"../infra/*.md", "../testdata/*/README.md"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		pages = append(pages, found...)
	}
	links := 0
	for _, page := range pages {
		for _, link := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(readPage(t, strings.TrimPrefix(page, "../")), -1) {
			_, err := os.Stat(filepath.Join(filepath.Dir(page), link[1]))
			require.NoError(t, err, "a link of %s", page)
			links++
		}
	}
	require.Greater(t, links, 10)
}

// The table of settings says what the code does.
func TestREADMESettings(t *testing.T) {
	page := readPage(t, "infra/settings.md")
	var table strings.Builder
	table.WriteString("| variable | default | meaning |\n|---|---|---|\n")
	require.NotEmpty(t, config.Settings())
	for _, s := range config.Settings() {
		value := ""
		if s.Default != "" {
			value = "`" + s.Default + "`"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s |\n", s.Name, value, s.Doc)
	}
	require.Contains(t, page, table.String())
}

// The example of a datagram is the file that a test runs.
func TestREADMEDatagram(t *testing.T) {
	page := readPage(t, "infra/agents.md")
	example, err := os.ReadFile("../testdata/agents/datagram.php")
	require.NoError(t, err)
	require.NotEmpty(t, example)
	var indented strings.Builder
	for line := range strings.Lines(string(example)) {
		if line != "\n" {
			line = "    " + line
		}
		indented.WriteString(line)
	}
	require.Contains(t, page, indented.String())
}

// Each test that a page names exists, fuzz tests included.
func TestREADMETests(t *testing.T) {
	var tests strings.Builder
	for _, pattern := range []string{"*_test.go", "torture/*_test.go", "../functions/*_test.go", "../functions/*/*_test.go", "../shared/*/*_test.go", "../shared/*/*/*_test.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			tests.Write(text)
		}
	}
	named := regexp.MustCompile("`((Test|Fuzz)[A-Z][A-Za-z]*)`").FindAllStringSubmatch(readPage(t, "infra/promises.md"), -1)
	require.NotEmpty(t, named)
	for _, name := range named {
		require.Contains(t, tests.String(), fmt.Sprintf("\nfunc %s(", name[1]))
	}
}
