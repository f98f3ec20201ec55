// Package layout_test holds the repository against its layout: lambda, localdev -> functions -> shared. What a host needs
// (the environment, an exit, the Lambda runtime) stands in package main, so that the functions are the same in both
// hosts; a SQL driver stands behind shared/store, so that it can be replaced in one place.
package layout_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// TestMain fails when a goroutine outlives the tests.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const root = "../.."

func TestLayout(t *testing.T) {
	problems, err := check(os.DirFS(root), sqlDrivers(t))
	require.NoError(t, err)
	require.Empty(t, problems, "move what is named here, or import it the other way round")
}

// sqlDrivers lists the packages, of all that the module builds and tests with, that register a
// database/sql driver.
func sqlDrivers(t *testing.T) (drivers []string) {
	t.Helper()
	const format = `{{if and .Module (not .Module.Main)}}{{.ImportPath}}	{{.Dir}}	{{join .Imports ","}}{{end}}`
	list := exec.Command("go", "list", "-deps", "-test", "-f", format, "./...")
	list.Dir, list.Stderr = root, os.Stderr
	out, err := list.Output()
	require.NoError(t, err)
	for line := range strings.Lines(string(out)) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if len(fields) != 3 || !slices.Contains(strings.Split(fields[2], ","), "database/sql") {
			continue
		}
		files, err := filepath.Glob(filepath.Join(fields[1], "*.go"))
		require.NoError(t, err)
		if slices.ContainsFunc(files, func(file string) bool {
			source, err := os.ReadFile(file)
			require.NoError(t, err)
			return bytes.Contains(source, []byte("sql.Register("))
		}) {
			drivers = append(drivers, fields[0])
		}
	}
	require.Subset(t, drivers, []string{"modernc.org/sqlite", "github.com/tursodatabase/libsql-client-go/libsql"}, "the search finds those that are known")
	return drivers
}

// TestRules breaks each rule in a small tree, for a check that cannot fail says nothing.
func TestRules(t *testing.T) {
	source := func(pkg string, imports ...string) string {
		text := "package " + pkg + "\n"
		for _, path := range imports {
			text += `import _ "` + strings.Replace(path, "./", module, 1) + "\"\n"
		}
		return text
	}
	for _, c := range []struct {
		file, source string
		problem      string // none: it keeps the rules
	}{
		{"functions/a/a.go", source("a", "./shared/store", "./functions/a/parts"), ""},
		{"functions/a/parts/parts.go", source("parts", "./functions/a"), ""},
		{"functions/functions.go", source("functions", "./functions/a", "./shared/store"), ""},
		{"functions/a/lambda/main.go", source("main", "./functions/a", "./shared/store", "github.com/aws/aws-lambda-go/lambda") + "import \"os\"\nfunc main() { os.Exit(1) }", ""},
		{"localdev/main.go", source("main", "./functions", "./functions/a", "./shared/store", "./localdev/parts"), ""},
		{"localdev/parts/parts.go", source("parts", "./shared/store", "./localdev/others"), ""},
		{"infra/infra_test.go", source("infra_test", "./functions", "./shared/config") + "// goleak.VerifyTestMain(m)", ""},
		{"functions/host_test.go", source("functions_test", "github.com/aws/aws-lambda-go/lambdaurl") + "// goleak.VerifyTestMain(m)", ""},
		{"shared/store/sqlite/sqlite.go", source("sqlite", "example.com/driver"), ""},
		{"shared/s/s_test.go", "package s\nimport \"os\"\nfunc TestMain(m *testing.M) { os.Getenv(\"CI\"); goleak.VerifyTestMain(m) }", ""},
		{"shared/s/s.go", "package s\nimport \"log\"\nfunc f(t interface{ Fatal() }) { t.Fatal(); log.Println() }", ""},
		{"testdata/peer/main.go", source("main"), ""},
		{".dev/scratch.go", "no Go at all", ""},

		{"functions/a/a.go", source("a", "./functions/b"), "functions/a/a.go:2: a function may not import functions/b"},
		{"functions/a/a.go", source("a", "./functions/ab"), "functions/a/a.go:2: a function may not import functions/ab"},
		{"functions/a/a.go", source("a", "./functions/a/lambda"), "functions/a/a.go:2: a function may not import functions/a/lambda"},
		{"functions/a/a.go", source("a", "./functions"), "functions/a/a.go:2: a function may not import functions"},
		{"functions/a/a.go", source("a", "./localdev/parts"), "functions/a/a.go:2: a function may not import localdev/parts"},
		{"functions/a/lambda/main.go", source("main", "./localdev"), "functions/a/lambda/main.go:2: a lambda may not import localdev"},
		{"functions/a/lambda/main.go", source("main", "./functions"), "functions/a/lambda/main.go:2: a lambda may not import functions"},
		{"shared/s/s.go", source("s", "./functions/a"), "shared/s/s.go:2: shared may not import functions/a"},
		{"shared/s/s.go", source("s", "./localdev/parts"), "shared/s/s.go:2: shared may not import localdev/parts"},
		{"localdev/main.go", source("main", "./functions/a/lambda"), "localdev/main.go:2: localdev may not import functions/a/lambda"},
		{"localdev/parts/parts.go", source("parts", "./functions/a"), "localdev/parts/parts.go:2: a part of localdev may not import functions/a"},
		{"cmd/listener/listener.go", source("listener"), "cmd/listener/listener.go:1: Go code in cmd/listener, which holds none"},
		{"listener_test.go", source("listener"), "listener_test.go:1: Go code in ., which holds none"},

		{"localdev/main.go", source("main", "github.com/aws/aws-lambda-go/lambda"), "localdev/main.go:2: imports github.com/aws/aws-lambda-go/lambda; only functions/*/lambda may"},
		{"shared/s/s.go", source("s", "example.com/driver/lib"), "shared/s/s.go:2: imports the SQL driver example.com/driver/lib; only shared/store may"},
		{"shared/storekeeper/s.go", source("storekeeper", "example.com/driver"), "shared/storekeeper/s.go:2: imports the SQL driver example.com/driver; only shared/store may"},

		{"shared/s/s.go", "package s\nimport \"os\"\nvar home = os.Getenv(\"HOME\")", "shared/s/s.go:3: uses os.Getenv; only package main may"},
		{"shared/s/s.go", "package s\nimport sys \"os\"\nvar exit = sys.Exit", "shared/s/s.go:3: uses os.Exit; only package main may"},
		{"shared/s/s.go", "package s\nimport \"log\"\nfunc f() { log.Fatalf(\"\") }", "shared/s/s.go:3: uses log.Fatalf; only package main may"},
		{"shared/s/s.go", source("main"), "shared/s/s.go:1: package main in shared; main stands in localdev and functions/*/lambda alone"},

		{"shared/s/s_test.go", source("s_test"), "shared/s: no test looks for goroutines; add a leak_test.go as the other packages have it"},
		{"functions/a/lambda/main.go", source("main") + strings.Repeat("// more\n\n", 29), "functions/a/lambda/main.go:1: 30 lines are not under 30"},
		{"localdev/main.go", source("main") + strings.Repeat("// more\n\n", 59), "localdev/main.go:1: 60 lines are not under 60"},
	} {
		problems, err := check(fstest.MapFS{c.file: {Data: []byte(c.source)}}, []string{"example.com/driver"})
		require.NoError(t, err)
		require.Equal(t, c.problem, strings.Join(problems, "\n"), "%s:\n%s", c.file, c.source)
	}
	_, err := check(fstest.MapFS{"shared/s/s.go": {Data: []byte("package")}}, nil)
	require.ErrorContains(t, err, "shared/s/s.go")
}
