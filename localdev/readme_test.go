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

// The README's table of settings says what the code does.
func TestREADMESettings(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
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
	require.Contains(t, string(readme), table.String())
}

// The README's example of a datagram is the file that a test runs.
func TestREADMEDatagram(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
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
	require.Contains(t, string(readme), indented.String())
}

// The tests that the README names are there, those by fuzzing too.
func TestREADMETests(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	var tests strings.Builder
	for _, pattern := range []string{"torture/*_test.go", "../functions/*_test.go", "../shared/*/*_test.go", "../shared/store/*/*_test.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			tests.Write(text)
		}
	}
	named := regexp.MustCompile("`((Test|Fuzz)[A-Z][A-Za-z]*)`").FindAllSubmatch(readme, -1)
	require.NotEmpty(t, named)
	for _, name := range named {
		require.Contains(t, tests.String(), fmt.Sprintf("\nfunc %s(", name[1]))
	}
}
