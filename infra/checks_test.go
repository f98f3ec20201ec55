package infra_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fakeMake runs make on a copy of the Makefile in which a fake go says what go test would, and notes how it was called.
func fakeMake(t *testing.T, files map[string]string, goSays string, args ...string) (out, calls string, err error) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, content string, mode os.FileMode) {
		t.Helper()
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(content), mode))
	}
	for _, name := range []string{"Makefile", "testdata/ran.sh"} {
		content, err := os.ReadFile(filepath.Join("..", name))
		require.NoError(t, err)
		write(name, string(content), 0o600)
	}
	for name, content := range files {
		write(name, content, 0o700) // bin/listener is a program
	}
	write("testdata/tools/install.sh", "", 0o600)
	write("bin/go", "#!/bin/sh\n[ \"$1\" = test ] || exit 0\necho \"$@\" >>calls\nprintf '"+goSays+"'\n", 0o700)
	cmd := exec.Command("make", append([]string{"--no-print-directory"}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "MAKEFLAGS=")
	text, err := cmd.CombinedOutput()
	noted, _ := os.ReadFile(filepath.Join(dir, "calls"))
	return string(text), string(noted), err
}

// A check that has checked nothing fails, and says in a sentence what it lacks.
func TestChecksThatCheckNothing(t *testing.T) {
	const (
		nothing = `testing: warning: no tests to run\nPASS\n`
		skipped = `=== RUN   TestA\n--- SKIP: TestA (0.00s)\nPASS\n`
		passed  = `=== RUN   TestA\n--- PASS: TestA (0.00s)\nPASS\n`
	)
	deployed := []string{"smoke", "URL=https://127.0.0.1:1", "KEY=0123456789abcdef"}
	for _, c := range []struct {
		goSays string
		args   []string
		want   string // "": it has checked something
	}{
		{passed, []string{"smoke"}, "make smoke needs the listener's address and a key"},
		{passed, deployed[:2], "make smoke needs the listener's address and a key"},
		{passed, []string{"smoke", "URL= ", deployed[2]}, "make smoke needs the listener's address and a key"},
		{nothing, deployed, "no test ran: "},
		{skipped, deployed, "no test ran: "},
		{passed, deployed, ""},
		{nothing, []string{"torture", "ARGS=-run Nothing"}, "no test ran: ARGS must name one"},
		{skipped, []string{"torture"}, "no test ran: "},
		{passed, []string{"torture"}, ""},
		{passed, []string{"fuzz"}, "there is no fuzz test"},
	} {
		out, _, err := fakeMake(t, map[string]string{"shared/a/a_test.go": "", "functions/a": "", "localdev/a": ""}, c.goSays, c.args...)
		if c.want == "" {
			require.NoError(t, err, "%q: %s", c.args, out)
			continue
		}
		require.Error(t, err, "%q: %s", c.args, out)
		require.Contains(t, out, c.want, "%q", c.args)
	}
	out, err := exec.Command("bash", "systemd/install.sh").CombinedOutput()
	require.Error(t, err)
	require.Equal(t, "say what to do: make install or make uninstall\n", string(out))
	for args, want := range map[string]string{
		"-only nothing": `there is no load "nothing" for -only; there are: single; `,
		"single":        "is not understood",
		"-rounds 0":     "is not understood",
	} {
		out, err := exec.Command("go", append([]string{"run", "../testdata/peers/compare"}, strings.Fields(args)...)...).CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(out), want)
	}
}

// make fuzz runs every fuzz test there is, whatever its name; one that is renamed is not passed over.
func TestFuzzRunsAll(t *testing.T) {
	out, calls, err := fakeMake(t, map[string]string{
		"shared/a/b/fuzz_test.go": "package b\nfunc FuzzOne(f *testing.F) {}\nfunc FuzzTwo_2(f *testing.F) {}\n",
		"localdev/c/c_test.go":    "package c\nfunc FuzzThree(f *testing.F) {}\nfunc helpFuzz() {}\n",
		"functions/d/d.go":        "package d\nfunc FuzzNot() {}\n",
	}, "", "fuzz")
	require.NoError(t, err, out)
	require.Equal(t, 3, strings.Count(calls, "\n"), calls)
	for _, want := range []string{"-fuzz ^FuzzOne$ ", "-fuzz ^FuzzTwo_2$ ", "-fuzz ^FuzzThree$ "} {
		require.Contains(t, calls, want)
	}
	require.Contains(t, calls, " ./shared/a/b\n")
}

// The first build says beforehand that it takes long, and names what it compiles meanwhile; later ones do not.
func TestFirstBuildSaysThatItTakesLong(t *testing.T) {
	const notice = "about two minutes"
	out, _, err := fakeMake(t, nil, "", "build")
	require.NoError(t, err, out)
	require.Less(t, strings.Index(out, notice), strings.Index(out, "go build -v "), out)
	require.Contains(t, out, notice)
	out, _, err = fakeMake(t, map[string]string{"bin/listener": "#!/bin/sh\n"}, "", "build")
	require.NoError(t, err, out)
	require.NotContains(t, out, notice)
}
