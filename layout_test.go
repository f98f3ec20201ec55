package listener_test

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
)

const module = "github.com/bitville/listener"

// TestLayout holds the repository against its rule of imports: lambda, localdev -> functions -> shared.
// What a host needs (the environment, an exit, the Lambda runtime) stands in package main, so that the
// functions are the same in both hosts; and a SQL driver stands behind shared/store, so that it can be
// replaced in one place.
func TestLayout(t *testing.T) {
	problems, err := checkLayout(os.DirFS("."), sqlDrivers(t))
	require.NoError(t, err)
	require.Empty(t, problems, "move what is named here, or import it the other way round")
}

// sqlDrivers lists the packages, of all that the module builds and tests with, that register a
// database/sql driver.
func sqlDrivers(t *testing.T) (drivers []string) {
	t.Helper()
	const format = `{{if and .Module (not .Module.Main)}}{{.ImportPath}}	{{.Dir}}	{{join .Imports ","}}{{end}}`
	list := exec.Command("go", "list", "-deps", "-test", "-f", format, "./...")
	list.Stderr = os.Stderr
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
	require.Contains(t, drivers, "modernc.org/sqlite", "the search finds the driver that is known")
	return drivers
}

// TestLayoutRules breaks each rule in a small tree, for a check that cannot fail says nothing.
func TestLayoutRules(t *testing.T) {
	const m = `"github.com/bitville/listener/`
	for _, c := range []struct {
		name     string
		files    map[string]string
		problems []string
	}{
		{"a tree as it should be", map[string]string{
			"layout_test.go":                    "package listener_test\nimport _ " + m + `shared/store"`,
			"functions/host_test.go":            "package functions_test\nimport (\n_ " + m + "functions/a\"\n_ " + m + "shared/store\"\n_ \"github.com/aws/aws-lambda-go/lambdaurl\"\n)",
			"functions/a/a.go":                  "package a\nimport _ " + m + `shared/store"`,
			"functions/a/parts/parts.go":        "package parts",
			"functions/a/parts.go":              "package a\nimport _ " + m + `functions/a/parts"`,
			"functions/a/a_test.go":             "package a_test\nimport _ " + m + `functions/a"`,
			"functions/a/lambda/main.go":        "package main\nimport (\n_ " + m + "functions/a\"\n_ " + m + "shared/store\"\n\"os\"\n_ \"github.com/aws/aws-lambda-go/lambda\"\n)\nfunc main() { os.Exit(1) }",
			"localdev/main.go":                  "package main\nimport (\n_ " + m + "functions/a\"\n_ " + m + "shared/store\"\n\"os\"\n)\nfunc main() { os.Exit(len(os.Environ())) }",
			"localdev/parts/parts.go":           "package parts\nimport _ " + m + `shared/store"`,
			"localdev/serve.go":                 "package main\nimport _ " + m + `localdev/parts"`,
			"localdev/main_test.go":             "package main_test\nimport \"os\"\nvar _ = os.Getenv",
			"shared/store/store.go":             "package store\nimport _ " + m + `shared/record"`,
			"shared/store/open.go":              "package store\nimport _ \"modernc.org/sqlite\"",
			"shared/store/sqlite/sqlite.go":     "package sqlite\nimport _ \"modernc.org/sqlite\"",
			"shared/store/libsql/libsql.go":     "package libsql\nimport _ \"example.com/driver\"",
			"shared/store/store_test.go":        "package store\nimport \"os\"\nfunc TestMain() { func() { os.Exit(0) }() }",
			"shared/record/record.go":           "package record\nimport (\n\"log\"\n\"os\"\n)\nvar os2 = os.Stderr\nfunc f(t interface{ Fatal() }) { t.Fatal(); log.Println() }",
			"testdata/peer/main.go":             "package main\nimport \"os\"\nfunc main() { os.Exit(1) }",
			"infra/deploy.md":                   "",
			".dev/scratch.go":                   "no Go at all",
			"shared/record/testdata/corpus.go":  "no Go at all",
			"shared/record/_unused/unused.go":   "no Go at all",
			"functions/a/lambda/lambda_test.go": "package main\nimport \"os\"\nfunc TestMain() { os.Exit(0) }",
		}, nil},

		{"a function imports another", map[string]string{"functions/a/a.go": "package a\n\nimport _ " + m + `functions/b"`}, []string{"functions/a/a.go:3: function a imports function b; share it in shared"}},
		{"a function imports a part of another", map[string]string{"functions/a/a.go": "package a\nimport _ " + m + `functions/b/parts"`}, []string{"functions/a/a.go:2: function a imports function b; share it in shared"}},
		{"a function's test imports another", map[string]string{"functions/a/a_test.go": "package a_test\nimport _ " + m + `functions/b"`}, []string{"functions/a/a_test.go:2: function a imports function b; share it in shared"}},
		{"a function imports localdev", map[string]string{"functions/a/a.go": "package a\nimport _ " + m + `localdev"`}, []string{"functions/a/a.go:2: a function imports localdev: localdev"}},
		{"a function imports its lambda", map[string]string{"functions/a/a.go": "package a\nimport _ " + m + `functions/a/lambda"`}, []string{"functions/a/a.go:2: a function imports a lambda: functions/a/lambda"}},
		{"shared imports a function", map[string]string{"shared/s/s.go": "package s\nimport x " + m + "functions/a\"\nvar _ = x.A"}, []string{"shared/s/s.go:2: shared imports a function: functions/a"}},
		{"shared's test imports a function", map[string]string{"shared/s/s_test.go": "package s_test\nimport _ " + m + `functions/a"`}, []string{"shared/s/s_test.go:2: shared imports a function: functions/a"}},
		{"shared imports localdev", map[string]string{"shared/s/s.go": "package s\nimport _ " + m + `localdev"`}, []string{"shared/s/s.go:2: shared imports localdev: localdev"}},
		{"localdev imports a lambda", map[string]string{"localdev/main.go": "package main\nimport _ " + m + `functions/a/lambda"`}, []string{"localdev/main.go:2: localdev imports a lambda: functions/a/lambda"}},
		{"a lambda imports localdev", map[string]string{"functions/a/lambda/main.go": "package main\nimport _ " + m + `localdev"`}, []string{"functions/a/lambda/main.go:2: a lambda imports localdev: localdev"}},

		{"shared imports aws-lambda-go", map[string]string{"shared/s/s.go": "package s\nimport _ \"github.com/aws/aws-lambda-go/events\""}, []string{"shared/s/s.go:2: imports github.com/aws/aws-lambda-go/events; only functions/*/lambda may"}},
		{"a function imports aws-lambda-go", map[string]string{"functions/a/a.go": "package a\nimport _ \"github.com/aws/aws-lambda-go/lambdaurl\""}, []string{"functions/a/a.go:2: imports github.com/aws/aws-lambda-go/lambdaurl; only functions/*/lambda may"}},
		{"localdev imports aws-lambda-go", map[string]string{"localdev/main.go": "package main\nimport _ \"github.com/aws/aws-lambda-go/lambda\""}, []string{"localdev/main.go:2: imports github.com/aws/aws-lambda-go/lambda; only functions/*/lambda may"}},

		{"a function's test imports aws-lambda-go", map[string]string{"functions/a/a_test.go": "package a_test\nimport _ \"github.com/aws/aws-lambda-go/events\""}, []string{"functions/a/a_test.go:2: imports github.com/aws/aws-lambda-go/events; only functions/*/lambda may"}},

		{"a function imports a driver", map[string]string{"functions/a/a.go": "package a\nimport _ \"modernc.org/sqlite\""}, []string{"functions/a/a.go:2: imports the SQL driver modernc.org/sqlite; only shared/store may"}},
		{"localdev imports a driver", map[string]string{"localdev/main.go": "package main\nimport _ \"github.com/tursodatabase/libsql-client-go/libsql\""}, []string{"localdev/main.go:2: imports the SQL driver github.com/tursodatabase/libsql-client-go/libsql; only shared/store may"}},
		{"shared imports a part of a driver", map[string]string{"shared/s/s.go": "package s\nimport _ \"modernc.org/sqlite/lib\""}, []string{"shared/s/s.go:2: imports the SQL driver modernc.org/sqlite/lib; only shared/store may"}},
		{"a folder that is named alike imports a driver", map[string]string{"shared/storekeeper/s.go": "package storekeeper\nimport _ \"modernc.org/sqlite\""}, []string{"shared/storekeeper/s.go:2: imports the SQL driver modernc.org/sqlite; only shared/store may"}},
		{"the root's test imports a driver that was found", map[string]string{"x_test.go": "package listener_test\nimport _ \"example.com/driver\""}, []string{"x_test.go:2: imports the SQL driver example.com/driver; only shared/store may"}},

		{"os.Getenv", map[string]string{"shared/s/s.go": "package s\nimport \"os\"\nvar home = os.Getenv(\"HOME\")"}, []string{"shared/s/s.go:3: uses os.Getenv; only package main may"}},
		{"os.LookupEnv as a value", map[string]string{"functions/a/a.go": "package a\nimport \"os\"\nvar look = os.LookupEnv"}, []string{"functions/a/a.go:3: uses os.LookupEnv; only package main may"}},
		{"os.Environ by another name", map[string]string{"shared/s/s.go": "package s\nimport sys \"os\"\nfunc f() { g(sys.Environ()) }"}, []string{"shared/s/s.go:3: uses os.Environ; only package main may"}},
		{"os.LookupEnv in a test", map[string]string{"shared/s/s_test.go": "package s\nimport \"os\"\nfunc TestA() { os.LookupEnv(\"X\") }"}, []string{"shared/s/s_test.go:3: uses os.LookupEnv; only package main may"}},
		{"os.Getenv in a package for tests", map[string]string{"shared/s/stest/s.go": "package stest\nimport \"os\"\nfunc f() { os.Getenv(\"CI\") }"}, nil},
		{"os.ExpandEnv", map[string]string{"shared/s/s.go": "package s\nimport \"os\"\nvar x = os.ExpandEnv(\"$X\")"}, []string{"shared/s/s.go:3: uses os.ExpandEnv; only package main may"}},
		{"os.Exit", map[string]string{"functions/a/a.go": "package a\nimport \"os\"\nfunc f() {\nos.Exit(1)\n}"}, []string{"functions/a/a.go:4: uses os.Exit; only package main may"}},
		{"os.Exit in a test", map[string]string{"shared/s/s_test.go": "package s\nimport \"os\"\nfunc TestA() { os.Exit(0) }"}, []string{"shared/s/s_test.go:3: uses os.Exit; only package main may"}},
		{"os.Environ in a TestMain", map[string]string{"shared/s/s_test.go": "package s\nimport \"os\"\nfunc TestMain() { os.Exit(len(os.Environ())) }"}, []string{"shared/s/s_test.go:3: uses os.Environ; only package main may"}},
		{"os.Exit in a TestMain that is no test's", map[string]string{"shared/s/s.go": "package s\nimport \"os\"\nfunc TestMain() { os.Exit(0) }"}, []string{"shared/s/s.go:3: uses os.Exit; only package main may"}},
		{"syscall.Exit", map[string]string{"shared/s/s.go": "package s\nimport \"syscall\"\nfunc f() { syscall.Exit(0) }"}, []string{"shared/s/s.go:3: uses syscall.Exit; only package main may"}},
		{"log.Fatal", map[string]string{"shared/s/s.go": "package s\nimport \"log\"\nfunc f() { log.Fatal() }\nfunc g() { log.Fatalf(\"\") }\nfunc h() { log.Fatalln() }"}, []string{
			"shared/s/s.go:3: uses log.Fatal; only package main may", "shared/s/s.go:4: uses log.Fatalf; only package main may", "shared/s/s.go:5: uses log.Fatalln; only package main may",
		}},
		{"os without its name", map[string]string{"shared/s/s.go": "package s\nimport . \"os\"\nvar home = Getenv(\"HOME\")"}, []string{`shared/s/s.go:2: imports os as ".", which hides what it uses of it`}},
		{"another package main", map[string]string{"shared/s/s.go": "package main\nimport \"os\"\nfunc main() { os.Exit(1) }"}, []string{
			"shared/s/s.go:1: package main in shared; main stands in localdev and functions/*/lambda alone", "shared/s/s.go:3: uses os.Exit; only package main may",
		}},
		{"a lambda that is no main", map[string]string{"functions/a/lambda/a.go": "package lambda\nimport \"os\"\nvar x = os.Environ()"}, []string{
			"functions/a/lambda/a.go:1: package lambda in a lambda; main stands in localdev and functions/*/lambda alone", "functions/a/lambda/a.go:3: uses os.Environ; only package main may",
		}},

		{"Go in infra", map[string]string{"infra/deploy/deploy.go": "package deploy"}, []string{"infra/deploy/deploy.go:1: Go code in infra/deploy, which holds none"}},
		{"a test in infra", map[string]string{"infra/infra_test.go": "package infra"}, []string{"infra/infra_test.go:1: Go code in infra, which holds none"}},
		{"Go in the root", map[string]string{"listener.go": "package listener"}, []string{"listener.go:1: Go code in ., which holds none"}},
		{"Go in a folder of its own", map[string]string{"cmd/listener/main.go": "package main"}, []string{"cmd/listener/main.go:1: Go code in cmd/listener, which holds none"}},
		{"Go beside the functions", map[string]string{"functions/all.go": "package functions"}, []string{"functions/all.go:1: Go code in functions, which holds none"}},
		{"a part of localdev that imports a function", map[string]string{"localdev/parts/parts.go": "package parts\nimport _ " + m + `functions/a"`}, []string{"localdev/parts/parts.go:2: a part of localdev imports a function: functions/a"}},
		{"a main below localdev", map[string]string{"localdev/parts/main.go": "package main"}, []string{"localdev/parts/main.go:1: package main in a part of localdev; main stands in localdev and functions/*/lambda alone"}},
		{"a part that shared imports", map[string]string{"localdev/parts/parts.go": "package parts", "shared/x/x.go": "package x\nimport _ " + m + `localdev/parts"`}, []string{"shared/x/x.go:2: shared imports a part of localdev: localdev/parts"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree := make(fstest.MapFS)
			for name, text := range c.files {
				tree[name] = &fstest.MapFile{Data: []byte(text)}
			}
			problems, err := checkLayout(tree, []string{"example.com/driver"})
			require.NoError(t, err)
			require.Equal(t, c.problems, problems)
		})
	}
}

func TestLayoutOfWhatIsNoGo(t *testing.T) {
	_, err := checkLayout(fstest.MapFS{"shared/s/s.go": {Data: []byte("package")}}, nil)
	require.ErrorContains(t, err, "shared/s/s.go")
}
