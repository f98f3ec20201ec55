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

// output runs a program that must end well, in the root, and returns what it printed.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %v:\n%s", name, args, out)
	return string(out)
}

// tree lists the files below a folder, each with its mode.
func tree(t *testing.T, dir string) map[string]fs.FileMode {
	files := map[string]fs.FileMode{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		files[strings.TrimPrefix(path, dir)] = info.Mode()
		return err
	}))
	return files
}

func TestInstall(t *testing.T) {
	const program = "/usr/bin/listener"
	dest := t.TempDir()
	built := filepath.Join(t.TempDir(), "listener")
	output(t, "env", "CGO_ENABLED=0", "go", "build", "-trimpath", "-o", built, "./localdev")
	install := func() string {
		return output(t, "make", "--no-print-directory", "install", "DESTDIR="+dest, "PREFIX=/usr", "BINARY="+built)
	}
	settings := filepath.Join(dest, "/etc/bitville/listener.env")
	installed := map[string]fs.FileMode{
		program: 0o755, "/usr/lib/systemd/system/bitville-listener.service": 0o644,
		"/usr/lib/sysusers.d/bitville-listener.conf": 0o644, "/etc/bitville/listener.env": 0o600,
	}

	out := install()
	require.Equal(t, installed, tree(t, dest))
	for file := range installed {
		require.Contains(t, out, "installing "+dest+file+"\n", "it says what it does")
	}
	require.NotContains(t, out, "running", "with DESTDIR the machine is left alone")
	require.Contains(t, out, "systemctl enable --now bitville-listener")
	require.Contains(t, output(t, dest+program, "help"), "Usage: listener")
	unit, err := os.ReadFile(filepath.Join(dest, "/usr/lib/systemd/system/bitville-listener.service"))
	require.NoError(t, err)
	require.Contains(t, string(unit), "\nExecStart="+program+" serve\n")

	require.NoError(t, os.WriteFile(settings, []byte("BITVILLE_API_KEY_SHOP=precious\n"), 0o600))
	out = install()
	require.Contains(t, out, "keeping    "+settings+"\n")
	require.Equal(t, installed, tree(t, dest))

	database := filepath.Join(dest, "/var/lib/bitville/bitville.db")
	require.NoError(t, os.MkdirAll(filepath.Dir(database), 0o700))
	require.NoError(t, os.WriteFile(database, []byte("records"), 0o600))
	for range 2 {
		out = output(t, "env", "DESTDIR="+dest, "PREFIX=/usr", "bash", "infra/systemd/install.sh", "uninstall")
		require.Equal(t, map[string]fs.FileMode{"/etc/bitville/listener.env": 0o600, "/var/lib/bitville/bitville.db": 0o600}, tree(t, dest))
		require.Contains(t, out, "rm -r "+filepath.Dir(settings)+" "+filepath.Dir(database))
	}
	kept, err := os.ReadFile(settings)
	require.NoError(t, err)
	require.Equal(t, "BITVILLE_API_KEY_SHOP=precious\n", string(kept))

	missing, err := exec.Command("make", "-C", root, "install", "DESTDIR="+dest, "BINARY="+built+"2").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(missing), "run make build first")
}

// The unit file says nothing that systemd does not know, and what it runs can do little harm. systemd-analyze counts
// from 0, the best, to 10.
func TestUnit(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		const message = "needs systemd-analyze, run: sudo bash testdata/tools/install.sh systemd"
		if os.Getenv("CI") == "true" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	unit, err := os.ReadFile("systemd/bitville-listener.service")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "bitville-listener.service")
	unit = bytes.Replace(unit, []byte("/usr/local/bin/listener"), []byte("/bin/true"), 1) // it looks for the program
	require.NoError(t, os.WriteFile(file, unit, 0o600))
	require.Empty(t, output(t, "systemd-analyze", "verify", "--man=no", file))
	out := output(t, "systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20", file)
	require.Regexp(t, `Overall exposure level for bitville-listener\.service: [01]\.\d`, out)
}

// The example names every setting, each as it is when it is not set, and a key is all that it lacks.
func TestExampleOfSettings(t *testing.T) {
	example, err := os.ReadFile("systemd/listener.env.example")
	require.NoError(t, err)
	values := map[string]string{}
	environ := []string{"BITVILLE_API_KEY_SHOP=0123456789abcdef"}
	for _, line := range regexp.MustCompile(`(?m)^#?(BITVILLE_[A-Z_]+)=(.*)$`).FindAllStringSubmatch(string(example), -1) {
		require.NotContains(t, values, line[1], "it stands twice")
		values[line[1]] = line[2]
		if !strings.HasPrefix(line[0], "#") {
			environ = append(environ, line[0])
		}
	}
	cfg, warnings, err := config.Load(environ)
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Equal(t, "/var/lib/bitville/bitville.db", cfg.DBPath)
	for _, s := range config.Settings() {
		name := strings.Replace(s.Name, "<PROJECT>", "SHOP", 1)
		require.Contains(t, values, name)
		if s.Default != "" {
			require.Equal(t, s.Default, values[name], name)
		}
		delete(values, name)
	}
	require.Empty(t, values, "no settings of the listener")
}
