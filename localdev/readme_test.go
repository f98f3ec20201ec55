package main

import (
	"fmt"
	"os"
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
	var indented strings.Builder
	for line := range strings.Lines(string(example)) {
		if line != "\n" {
			line = "    " + line
		}
		indented.WriteString(line)
	}
	require.Contains(t, string(readme), indented.String())
}
