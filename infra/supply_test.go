package infra_test

import (
	"debug/buildinfo"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/functions"
)

// Every module that is linked into a program has its line in infra/licences.md, and no other has.
func TestLicences(t *testing.T) {
	page, err := os.ReadFile("licences.md")
	require.NoError(t, err)
	var listed []string
	for _, line := range regexp.MustCompile(`(?m)^\| (\S+\.\S+) \| \S.* \|$`).FindAllSubmatch(page, -1) {
		listed = append(listed, string(line[1]))
	}
	list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", "./localdev")
	for _, f := range functions.OnLambda() {
		list.Args = append(list.Args, "./functions/"+f.Name+"/lambda")
	}
	list.Dir, list.Stderr = root, os.Stderr
	linked, err := list.Output()
	require.NoError(t, err)
	modules := strings.Fields(string(linked))
	slices.Sort(modules)
	require.Equal(t, slices.Compact(modules), listed, "read the licence of what is new, and list it in the order of the names")
}

// Whoever builds a version gets the same bytes, in whatever folder.
func TestReproducibleBuild(t *testing.T) {
	var programs [][]byte
	for range 2 {
		dir := t.TempDir()
		copyTree(t, root, dir)
		build := exec.Command("make", "-s", "build", "VERSION=v1.2.3")
		build.Dir = dir
		output, err := build.CombinedOutput()
		require.NoError(t, err, "%s", output)
		path := filepath.Join(dir, "bin/listener")
		program, err := os.ReadFile(path)
		require.NoError(t, err)
		programs = append(programs, program)
		info, err := buildinfo.ReadFile(path)
		require.NoError(t, err)
		require.NotEmpty(t, info.Deps, "what make audit reads")
		version, err := exec.Command(path, "version").Output()
		require.NoError(t, err)
		require.Contains(t, string(version), "v1.2.3")
	}
	require.True(t, string(programs[0]) == string(programs[1]), "two builds differ")
}

// copyTree copies what a build reads.
func copyTree(t *testing.T, from, to string) {
	t.Helper()
	tree := os.DirFS(from)
	require.NoError(t, fs.WalkDir(tree, ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path != "." && entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "bin" || entry.Name() == "node_modules"):
			return fs.SkipDir
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(to, path), 0o700)
		case !slices.Contains([]string{".go", ".mod", ".sum", ".sql", ".html", ".css", ".js", ".svg", ""}, filepath.Ext(path)):
			return nil
		}
		content, err := fs.ReadFile(tree, path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, path), content, 0o600)
	}))
}
