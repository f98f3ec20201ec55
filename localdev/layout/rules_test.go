package layout_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const module = "github.com/bitville/listener/"

// layers are the kinds of folders that hold Go code, each with the layers that it may import. The first that fits is a
// folder's.
var layers = []struct {
	name    string
	folder  *regexp.Regexp
	imports []string
}{
	{"a lambda", regexp.MustCompile(`^functions/\w+/lambda$`), []string{"a function", "shared"}},
	{"the functions' list", regexp.MustCompile(`^functions$`), []string{"a function", "shared"}},
	{"a function", regexp.MustCompile(`^functions/`), []string{"shared"}}, // and its own folders, see checkImport
	{"localdev", regexp.MustCompile(`^localdev$`), []string{"a part of localdev", "the functions' list", "a function", "shared"}},
	{"a part of localdev", regexp.MustCompile(`^localdev/`), []string{"a part of localdev", "shared"}},
	{"shared", regexp.MustCompile(`^shared/`), []string{"shared"}},
	{"infra", regexp.MustCompile(`^infra$`), []string{"the functions' list", "a function", "shared"}},
}

// maxLines are the most lines that a file may have, blank ones not counted.
var maxLines = []struct {
	file  *regexp.Regexp
	lines int
}{
	{regexp.MustCompile(`^functions/\w+/lambda/main\.go$`), 30},
	{regexp.MustCompile(`^localdev/main\.go$`), 60},
}

// hostOnly is what only package main may use, by the package that has it.
var hostOnly = map[string][]string{
	"os":      {"Getenv", "LookupEnv", "Environ", "ExpandEnv", "Exit"},
	"syscall": {"Getenv", "Environ", "Exit"},
	"log":     {"Fatal", "Fatalf", "Fatalln"},
}

// check holds a tree of files against the rules. It returns a line for each place that breaks one.
func check(tree fs.FS, drivers []string) (problems []string, err error) {
	c := checker{drivers: drivers, fset: token.NewFileSet(), leaks: map[string]bool{}}
	err = fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (strings.ContainsAny(entry.Name()[:1], "._") || entry.Name() == "testdata"):
			return fs.SkipDir // the go command passes over them too
		case entry.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		source, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		return c.checkFile(name, source)
	})
	for folder, looks := range c.leaks {
		if !looks {
			c.problems = append(c.problems, folder+": no test looks for goroutines; add a leak_test.go as the other packages have it")
		}
	}
	slices.Sort(c.problems)
	return c.problems, err
}

type checker struct {
	drivers  []string // the packages that register a SQL driver
	fset     *token.FileSet
	leaks    map[string]bool // by folder that has tests: do they look for goroutines that outlive them?
	problems []string
}

func (c *checker) report(at token.Pos, format string, args ...any) {
	position := c.fset.Position(at)
	c.problems = append(c.problems, fmt.Sprintf("%s:%d: ", position.Filename, position.Line)+fmt.Sprintf(format, args...))
}

// layerOf returns the index of a folder's layer, or -1.
func layerOf(folder string) int {
	for i, l := range layers {
		if l.folder.MatchString(folder) {
			return i
		}
	}
	return -1
}

func (c *checker) checkFile(name string, source []byte) error {
	file, err := parser.ParseFile(c.fset, name, source, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	folder := path.Dir(name)
	at := layerOf(folder)
	if at < 0 {
		c.report(file.Package, "Go code in %s, which holds none", folder)
		return nil
	}
	isTest := strings.HasSuffix(name, "_test.go")
	if isTest {
		c.leaks[folder] = c.leaks[folder] || bytes.Contains(source, []byte("goleak.VerifyTestMain(m")) || bytes.Contains(source, []byte("listenertest.Main(m"))
	}
	isMain := strings.TrimSuffix(file.Name.Name, "_test") == "main"
	if mayBeMain := layers[at].name == "a lambda" || layers[at].name == "localdev"; isMain != mayBeMain {
		c.report(file.Package, "package %s in %s; main stands in localdev and functions/*/lambda alone", file.Name.Name, layers[at].name)
	}
	for _, limit := range maxLines {
		if n := len(regexp.MustCompile(`(?m)^.*\S`).FindAll(source, -1)); limit.file.MatchString(name) && n >= limit.lines {
			c.report(file.Package, "%d lines are not under %d", n, limit.lines)
		}
	}
	names := make(map[string]string) // of the imported packages in this file
	for _, spec := range file.Imports {
		target, _ := strconv.Unquote(spec.Path.Value) // the parser has seen that it is a string
		c.checkImport(spec, folder, target, isTest)
		names[path.Base(target)] = target
		if spec.Name != nil {
			names[spec.Name.Name] = target
		}
	}
	if forTests := isTest || strings.HasSuffix(file.Name.Name, "test"); isMain || forTests { // tests ask for CI, and TestMain exits
		return nil
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := selector.X.(*ast.Ident); ok && slices.Contains(hostOnly[names[x.Name]], selector.Sel.Name) {
				c.report(selector.Pos(), "uses %s.%s; only package main may", names[x.Name], selector.Sel.Name)
			}
		}
		return true
	})
	return nil
}

func (c *checker) checkImport(spec *ast.ImportSpec, folder, target string, isTest bool) {
	from := layers[layerOf(folder)]
	if strings.HasPrefix(target, "github.com/aws/aws-lambda-go") && from.name != "a lambda" && !(isTest && folder == "functions") {
		c.report(spec.Pos(), "imports %s; only functions/*/lambda may", target)
	}
	isDriver := slices.ContainsFunc(c.drivers, func(driver string) bool { return strings.HasPrefix(target+"/", driver+"/") })
	if isDriver && !strings.HasPrefix(folder+"/", "shared/store/") {
		c.report(spec.Pos(), "imports the SQL driver %s; only shared/store may", target)
	}
	to, ours := strings.CutPrefix(target, module)
	if !ours || to == folder { // a package's external tests import it
		return
	}
	if from.name == "a function" && strings.HasPrefix(to+"/", functionOf(folder)) && !strings.HasSuffix(to, "/lambda") {
		return
	}
	if at := layerOf(to); at < 0 || !slices.Contains(from.imports, layers[at].name) {
		c.report(spec.Pos(), "%s may not import %s", from.name, to)
	}
}

// functionOf returns the folder of the function that a folder belongs to, with a slash behind it.
func functionOf(folder string) string {
	return strings.Join(strings.Split(folder, "/")[:2], "/") + "/"
}
