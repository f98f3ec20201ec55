package listener_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// knownDrivers are those that somebody could reach for. A prefix of their paths is enough.
var knownDrivers = []string{
	"modernc.org/sqlite", "github.com/tursodatabase/", "github.com/libsql/", "turso.tech/", "github.com/mattn/go-sqlite3",
	"github.com/ncruces/go-sqlite3", "github.com/glebarez/", "zombiezen.com/go/sqlite", "github.com/lib/pq", "github.com/jackc/pgx",
	"github.com/go-sql-driver/mysql",
}

// hostOnly is what only package main may use, by the package that has it.
var hostOnly = map[string][]string{
	"os":      {"Getenv", "LookupEnv", "Environ", "ExpandEnv", "Exit"},
	"syscall": {"Getenv", "Environ", "Exit"},
	"log":     {"Fatal", "Fatalf", "Fatalln"},
}

// checkLayout returns a line for each place in the tree that breaks the rule.
func checkLayout(tree fs.FS, drivers []string) (problems []string, err error) {
	err = fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (strings.HasPrefix(entry.Name(), ".") || strings.HasPrefix(entry.Name(), "_") || entry.Name() == "testdata"):
			return fs.SkipDir // the go command passes over them too
		case entry.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		source, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, name, source, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		c := checker{fset: fset, file: file, name: name, place: placeOf(path.Dir(name)), drivers: drivers}
		c.check()
		problems = append(problems, c.problems...)
		return nil
	})
	return problems, err
}

// layer is what a folder is in the rule of imports.
type layer string

const (
	tests    layer = "tests" // of the repository, and of the functions as their hosts run them
	lambda   layer = "a lambda"
	localdev layer = "localdev"
	part     layer = "a part of localdev"
	function layer = "a function"
	shared   layer = "shared"
	nowhere  layer = "outside the layout"
)

type place struct {
	layer    layer
	function string // the name of a function's folder
}

// placeOf tells what a folder of the repository is.
func placeOf(dir string) place {
	parts := strings.Split(dir, "/")
	switch {
	case dir == "." || dir == "functions": // tests of the repository, or of all functions, and nothing else
		return place{layer: tests}
	case parts[0] == "shared":
		return place{layer: shared}
	case dir == "localdev":
		return place{layer: localdev}
	case parts[0] == "localdev":
		return place{layer: part}
	case parts[0] == "functions" && len(parts) == 3 && parts[2] == "lambda":
		return place{lambda, parts[1]}
	case parts[0] == "functions" && len(parts) > 1:
		return place{function, parts[1]}
	}
	return place{layer: nowhere}
}

// allowed are the layers that a layer may import.
var allowed = map[layer][]layer{
	lambda:   {function, shared},
	localdev: {function, shared, part},
	part:     {shared, part},
	function: {shared},
	shared:   {shared},
}

type checker struct {
	fset     *token.FileSet
	file     *ast.File
	name     string
	place    place
	drivers  []string
	problems []string
}

func (c *checker) report(at token.Pos, format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf("%s:%d: ", c.name, c.fset.Position(at).Line)+fmt.Sprintf(format, args...))
}

func (c *checker) check() {
	isTest := strings.HasSuffix(c.name, "_test.go")
	if c.place.layer == nowhere || c.place.layer == tests && !isTest {
		c.report(c.file.Package, "Go code in %s, which holds none", c.dir())
		return
	}
	isMain := strings.TrimSuffix(c.file.Name.Name, "_test") == "main"
	isHost := c.place.layer == lambda || c.place.layer == localdev
	if isMain != isHost {
		c.report(c.file.Package, "package %s in %s; main stands in localdev and functions/*/lambda alone", c.file.Name.Name, c.place.layer)
	}
	names := make(map[string]string) // of the imported packages in this file
	for _, spec := range c.file.Imports {
		target, _ := strconv.Unquote(spec.Path.Value) // the parser has seen that it is a string
		c.checkImport(spec, target)
		name := path.Base(target)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = target
		if _, ok := hostOnly[target]; ok && name == "." {
			c.report(spec.Pos(), "imports %s as %q, which hides what it uses of it", target, ".")
		}
	}
	if isMain && isHost {
		return
	}
	for _, decl := range c.file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		testMain := ok && isTest && f.Recv == nil && f.Name.Name == "TestMain"
		ast.Inspect(decl, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := selector.X.(*ast.Ident)
			if !ok {
				return true
			}
			target, used := names[x.Name], selector.Sel.Name
			mayExit := testMain && target == "os" && used == "Exit"
			mayAsk := (isTest || strings.HasSuffix(c.file.Name.Name, "test")) && target == "os" && used == "Getenv" // for CI=true
			if slices.Contains(hostOnly[target], used) && !mayExit && !mayAsk {
				c.report(selector.Pos(), "uses %s.%s; only package main may", target, used)
			}
			return true
		})
	}
}

func (c *checker) checkImport(spec *ast.ImportSpec, target string) {
	if strings.HasPrefix(target, "github.com/aws/aws-lambda-go") && c.place.layer != lambda && c.place.layer != tests {
		c.report(spec.Pos(), "imports %s; only functions/*/lambda may", target)
	}
	under := func(folder string) bool { return c.dir() == folder || strings.HasPrefix(c.dir(), folder+"/") }
	isDriver := slices.ContainsFunc(knownDrivers, func(prefix string) bool { return strings.HasPrefix(target, prefix) }) ||
		slices.ContainsFunc(c.drivers, func(driver string) bool { return target == driver || strings.HasPrefix(target, driver+"/") })
	if isDriver && !under("shared/store") {
		c.report(spec.Pos(), "imports the SQL driver %s; only shared/store may", target)
	}
	dir, ours := strings.CutPrefix(target, module+"/")
	if !ours {
		return
	}
	to := placeOf(dir)
	switch {
	case c.place.layer == tests && to.layer != nowhere:
	case c.place.layer == function && to == c.place:
	case c.place.layer == function && to.layer == function:
		c.report(spec.Pos(), "function %s imports function %s; share it in shared", c.place.function, to.function)
	case !slices.Contains(allowed[c.place.layer], to.layer):
		c.report(spec.Pos(), "%s imports %s: %s", c.place.layer, to.layer, dir)
	}
}

func (c *checker) dir() string { return path.Dir(c.name) }
