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

// The relay's unit says nothing that systemd does not know, and what it runs can do little harm.
func TestRelayUnit(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		const message = "needs systemd-analyze, run: sudo bash testdata/tools/install.sh systemd"
		if os.Getenv("CI") == "true" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	unit, err := os.ReadFile("systemd/bitville-relay.service")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "bitville-relay.service")
	unit = bytes.Replace(unit, []byte("/usr/local/bin/listener"), []byte("/bin/true"), 1) // it looks for the program
	require.NoError(t, os.WriteFile(file, unit, 0o600))
	require.Empty(t, output(t, "systemd-analyze", "verify", "--man=no", file))
	out := output(t, "systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", file)
	require.Regexp(t, `Overall exposure level for bitville-relay\.service: [01]\.\d`, out)
}

// The example names every setting, each as it is when it is not set, and a key is all that it lacks; the page has each in
// its table.
func TestRelaySettings(t *testing.T) {
	example, err := os.ReadFile("systemd/relay.env.example")
	require.NoError(t, err)
	page, err := os.ReadFile("relay.md")
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
	_, warnings, err := config.LoadRelay(environ)
	require.NoError(t, err)
	require.Empty(t, warnings)
	for _, s := range config.RelaySettings() {
		name := strings.Replace(s.Name, "<PROJECT>", "BLOG", 1)
		require.Contains(t, values, name)
		byDefault := ""
		if s.Default != "" {
			require.Equal(t, s.Default, values[name], name)
			byDefault = "`" + s.Default + "`"
		}
		delete(values, name)
		require.Contains(t, string(page), "| `"+s.Name+"` | "+byDefault+" | "+s.Doc+" |\n", "the page's table")
	}
	require.Empty(t, values, "no settings of the relay")
}

// An agent is installed by its name, and goes without taking anything of the listener's with it.
func TestInstallRelay(t *testing.T) {
	dest := t.TempDir()
	script := func(args ...string) string {
		return output(t, "env", append([]string{"DESTDIR=" + dest, "PREFIX=/usr", "BINARY=/bin/true", "bash", "infra/systemd/install.sh"}, args...)...)
	}
	script("install")
	listeners := tree(t, dest)
	out := script("install", "relay")
	require.Contains(t, out, "systemctl enable --now bitville-relay")
	installed := tree(t, dest)
	for file, mode := range map[string]fs.FileMode{
		"/usr/lib/systemd/system/bitville-relay.service": 0o644, "/usr/lib/sysusers.d/bitville-relay.conf": 0o644, "/etc/bitville/relay.env": 0o600,
	} {
		require.Equal(t, mode, installed[file], file)
	}
	unit, err := os.ReadFile(dest + "/usr/lib/systemd/system/bitville-relay.service")
	require.NoError(t, err)
	require.Contains(t, string(unit), "\nExecStart=/usr/bin/listener agent relay\n")
	script("uninstall", "relay")
	listeners["/etc/bitville/relay.env"] = 0o600
	require.Equal(t, listeners, tree(t, dest))
	missing, err := exec.Command("bash", "systemd/install.sh", "install", "nonsense").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(missing), "there is no service nonsense")
}
