package profile

import "strings"

// Origin tells whose code a function is, as far as the profile tells; empty when it does not.
type Origin string

const (
	Own    Origin = "own"    // its file is known and in no vendor folder
	Vendor Origin = "vendor" // its file is in a vendor folder
	// Builtin is of PHP or an extension: tideways lists it twice, or it is a database function, or the profile names the files
	// of others and none for it. In Edges of other profilers it is a guess: a function without namespace or class that calls nothing.
	Builtin Origin = "builtin"
)

// guessOrigins sets the origins of functions whose profile names no files, and of those of Samples. twins says that the
// profile lists each builtin twice: what it lists once is no builtin.
func (p *Profile) guessOrigins(twins bool) {
	calls := make([]bool, len(p.Functions))
	for _, e := range p.edges {
		if e.from != outside {
			calls[e.from] = true
		}
	}
	files := false
	for i := range p.Functions {
		files = files || p.Functions[i].File != ""
	}
	for i := range p.Functions {
		f := &p.Functions[i]
		path := f.File
		if path == "" && strings.Contains(f.Name, "/") {
			path = f.Name // an included file, or {closure:/srv/www/src/app.php(31)}
		}
		switch {
		case f.Origin != "":
		case strings.Contains(path, "/vendor/") || strings.Contains(f.File, `\vendor\`):
			f.Origin = Vendor
		case path != "":
			f.Origin = Own
		case databaseFunction(f.Name), files && f.Name != deeper:
			f.Origin = Builtin
		case p.Kind == Edges && !twins && !calls[i] && plain(f.Name):
			f.Origin = Builtin
		}
	}
}

// plain tells a name like those of PHP's functions: no namespace, no class, no capitals.
func plain(name string) bool {
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_0123456789") == ""
}
