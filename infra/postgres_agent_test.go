package infra_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/config"
)

// The unit of the agent beside PostgreSQL says nothing that systemd does not know, and what it runs can do little harm.
func TestPostgresAgentUnit(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		const message = "needs systemd-analyze, run: sudo bash testdata/tools/install.sh systemd"
		if os.Getenv("CI") == "true" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	unit, err := os.ReadFile("systemd/bitville-postgres-agent.service")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "bitville-postgres-agent.service")
	unit = bytes.Replace(unit, []byte("/usr/local/bin/listener"), []byte("/bin/true"), 1) // it looks for the program
	require.NoError(t, os.WriteFile(file, unit, 0o600))
	require.Empty(t, output(t, "systemd-analyze", "verify", "--man=no", file))
	out := output(t, "systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", file)
	require.Regexp(t, `Overall exposure level for bitville-postgres-agent\.service: [01]\.\d`, out)
}

// The example names every setting, each as it is when it is not set, and a key is all that it lacks; the page has each in
// its table.
func TestPostgresAgentSettings(t *testing.T) {
	example, err := os.ReadFile("systemd/postgres-agent.env.example")
	require.NoError(t, err)
	page, err := os.ReadFile("postgres-agent.md")
	require.NoError(t, err)
	values := map[string]string{}
	environ := []string{"BITVILLE_API_KEY=0123456789abcdef"}
	for _, line := range regexp.MustCompile(`(?m)^#?(BITVILLE_[A-Z_]+)=(.*)$`).FindAllStringSubmatch(string(example), -1) {
		require.NotContains(t, values, line[1], "it stands twice")
		values[line[1]] = line[2]
		if !strings.HasPrefix(line[0], "#") {
			environ = append(environ, line[0])
		}
	}
	_, warnings, err := config.LoadPostgres(environ)
	require.NoError(t, err)
	require.Empty(t, warnings)
	for _, s := range config.PostgresSettings() {
		require.Contains(t, values, s.Name)
		if s.Default != "" {
			require.Equal(t, s.Default, strings.Trim(values[s.Name], "'"), s.Name)
		}
		delete(values, s.Name)
		byDefault := ""
		if s.Default != "" {
			byDefault = "`" + s.Default + "`"
		}
		require.Contains(t, string(page), "| `"+s.Name+"` | "+byDefault+" | "+s.Doc+" |\n", "the page's table")
	}
	require.Empty(t, values, "no settings of the agent")
}

// The installer knows the agent by its name.
func TestInstallPostgresAgent(t *testing.T) {
	dest := t.TempDir()
	out := output(t, "env", "DESTDIR="+dest, "BINARY=/bin/true", "bash", "infra/systemd/install.sh", "install", "postgres-agent")
	require.Contains(t, out, "systemctl enable --now bitville-postgres-agent")
	require.Equal(t, map[string]fs.FileMode{
		"/usr/local/bin/listener": 0o755, "/usr/local/lib/systemd/system/bitville-postgres-agent.service": 0o644,
		"/usr/local/lib/sysusers.d/bitville-postgres-agent.conf": 0o644, "/etc/bitville/postgres-agent.env": 0o600,
	}, tree(t, dest))
}
