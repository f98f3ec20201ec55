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
