package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/record"
)

// shortKey is the length in bytes under which a key is worth a warning: it could be guessed.
const shortKey = 16

// jsonForm is what the variable with the keys of all projects must hold, and limitedForm what a project's keys there may be as well.
const (
	jsonForm    = `{"shop":"key[,key…]"}`
	limitedForm = `["key",{"key":"…","routes":["/v1/traces"]}]`
)

// keyKind is one kind of keys, and where they are set.
type keyKind struct {
	prefix string // of the variables with one project's keys
	all    string // the variable with those of all projects
	shared bool   // one key may be for several projects
}

var (
	apiKeys  = keyKind{prefix: "BITVILLE_API_KEY_", all: "BITVILLE_API_KEYS"}
	readKeys = keyKind{prefix: "BITVILLE_READ_KEY_", all: "BITVILLE_READ_KEYS", shared: true}
)

// clientKey is one read key, as a client has it. With fileSuffix it names a file, so that a project named file has its read
// keys in readKeys.all.
const clientKey = "BITVILLE_READ_KEY"

// has tells whether a variable holds keys of this kind.
func (k keyKind) has(variable string) bool {
	return variable == k.all || len(variable) > len(k.prefix) && strings.HasPrefix(variable, k.prefix)
}

// projectKeys are one project's keys as they were set. Texts call a project by its name only where that is the
// variable's: in JSON by its place, for who mixes up names and keys there would find his keys in the log.
type projectKeys struct {
	variable, called string
	project          string
	lists            []keyList
}

// keyList is keys with commas between them, and the routes that they are good for: all when there is none.
type keyList struct {
	text   string
	routes []string
}

// isAssignment tells whether a key is a whole line of a file of settings: a variable of ours, or the project, stands before it.
func isAssignment(key, project string) bool {
	name, _, ok := strings.Cut(strings.TrimPrefix(key, "export "), "=")
	if other, _, colon := strings.Cut(key, ":"); !ok && colon {
		name, ok = other, true
	}
	name = strings.TrimSpace(name)
	return ok && (strings.HasPrefix(name, "BITVILLE_") || strings.EqualFold(name, project))
}

// read reads the keys of all projects. No text that it returns holds a key.
func (k keyKind) read(vars map[string]string) (keys []auth.Key, warnings []string, problems []error) {
	all, err := k.ofProjects(vars)
	if err != nil {
		problems = append(problems, err)
	}
	keys, warnings, more := k.check(all)
	return keys, warnings, append(problems, more...)
}

// check cuts the lists of keys and tells what is wrong with each key. No text that it returns holds one.
func (k keyKind) check(all []projectKeys) (keys []auth.Key, warnings []string, problems []error) {
	fail := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	first := make(map[string]projectKeys) // of each project
	for _, p := range all {
		if p.swapped() {
			if p.variable != k.all {
				p.variable = k.prefix + "<PROJECT>"
			}
			fail("%s: a project's name has %d characters and its key %d, as if they were swapped; set %sSHOP=<key>, or %s=%s",
				p.variable, len(p.project), len(p.lists[0].text), k.prefix, k.all, jsonForm)
			continue
		}
		if n := len([]rune(p.project)); n < 1 || n > record.MaxProject {
			fail("%s: the project's name is %d characters long; 1 to %d", p.variable, n, record.MaxProject)
			continue
		}
		if other, ok := first[p.project]; ok {
			fail("%s: %s has its keys in %s already; put them in one list", p.variable, p.called, other.variable)
			continue
		}
		first[p.project] = p
		for _, list := range p.lists {
			if inQuotes(list.text) {
				fail(quoted, p.variable)
				continue
			}
			for key := range strings.SplitSeq(list.text, ",") {
				key = strings.TrimSpace(key)
				if problem := p.problem(key); problem != nil {
					problems = append(problems, problem)
					continue
				}
				warnings = append(warnings, p.doubts(key)...)
				same := func(other auth.Key) bool {
					return !k.shared && string(other.Secret) == key && (other.Project != p.project || !slices.Equal(other.Routes, list.routes))
				}
				if other := slices.IndexFunc(keys, same); other >= 0 {
					fail("%s: %s has the same key as %s; give each its own", p.variable, p.called, first[keys[other].Project].called)
					continue
				}
				keys = append(keys, auth.Key{Project: p.project, Secret: auth.Secret(key), Routes: list.routes})
			}
		}
	}
	return keys, warnings, problems
}

// noKeys is the problem of a listener that nobody can send to.
func noKeys(vars map[string]string) error {
	reason := "no API key is set"
	if vars[apiKeys.all] != "" {
		reason = apiKeys.all + " holds no key"
	}
	return fmt.Errorf("%s: set %sSHOP=<key> for a project named shop", reason, apiKeys.prefix)
}

// sharedKeys are the problems of read keys that agents send with: those lie on every web host.
func sharedKeys(api, read []auth.Key) (problems []error) {
	if slices.ContainsFunc(read, func(r auth.Key) bool {
		return slices.ContainsFunc(api, func(k auth.Key) bool { return k.Secret == r.Secret })
	}) {
		problems = append(problems, fmt.Errorf("%s<PROJECT> or %s holds an API key: make another key to read with, for an API key lies on every host that sends", readKeys.prefix, readKeys.all))
	}
	return problems
}

// problem says what is wrong with a key; nil when nothing is.
func (p projectKeys) problem(key string) error {
	a := fmt.Sprintf("%s: a key of %s", p.variable, p.called)
	switch {
	case key == "":
		return fmt.Errorf("%s is empty; set it, or remove the comma or the variable", a)
	case inQuotes(key):
		return fmt.Errorf(quoted, a)
	case strings.HasPrefix(strings.ToLower(key), "bearer "):
		return fmt.Errorf("%s begins with Bearer: set the key alone", a)
	case isAssignment(key, p.project):
		return fmt.Errorf("%s begins with a name and = or :, as a line of a settings file does; set the key alone", a)
	case !isHeader(key):
		return fmt.Errorf("%s holds a character that no header can; use printable ASCII without spaces", a)
	case len(key) > longestKey:
		return fmt.Errorf("%s is longer than %d characters, which proxies refuse in a header; use a shorter one", a, longestKey)
	case placeholder(key) != nil:
		return fmt.Errorf("%s %w", a, placeholder(key))
	case isPathOfSecret(key):
		return fmt.Errorf("%s is the path of a file; set %s to have the key read from it", a, p.variable+fileSuffix)
	}
	return nil
}

// doubts returns what is to be warned of a key that works.
func (p projectKeys) doubts(key string) (warnings []string) {
	a := fmt.Sprintf("%s: a key of %s", p.variable, p.called)
	switch {
	case len(key) < shortKey:
		warnings = append(warnings, fmt.Sprintf("%s is shorter than %d characters and could be guessed", a, shortKey))
	case guessable(key):
		warnings = append(warnings, a+" is the same few characters over and over, or a run of them, and could be guessed")
	}
	if strings.ContainsFunc(key, isChangedInURLs) {
		warnings = append(warnings, a+" holds a character that means something in a URL, and clients that have their key there do not encode it; use letters, digits, - and _ for those")
	}
	return warnings
}

// isChangedInURLs tells what does not stand for itself everywhere in a URL (RFC 3986, section 2.3).
func isChangedInURLs(r rune) bool {
	return (r|' ' < 'a' || r|' ' > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("-._~", r)
}

// swapped tells whether the name looks like a key, and the key does not.
func (p projectKeys) swapped() bool {
	key := p.lists[0].text
	return len(p.project) >= shortKey && strings.ContainsAny(p.project, "0123456789") && len(key) < shortKey && key != ""
}

// ofProjects collects the keys of all projects: by the variables' names, so that problems come in one order, and
// then those in JSON.
func (k keyKind) ofProjects(vars map[string]string) (all []projectKeys, err error) {
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if project, ok := strings.CutPrefix(name, k.prefix); ok {
			project = record.Project(project)
			all = append(all, projectKeys{name, "project " + project, project, []keyList{{text: vars[name]}}})
		}
	}
	if text := vars[k.all]; inQuotes(text) {
		err = fmt.Errorf(quoted, k.all)
	} else if text != "" {
		n := 0
		err = k.eachMember(text, func(project string, value json.RawMessage) error {
			n++
			called := fmt.Sprintf("project no. %d", n)
			lists, err := keyLists(value)
			if err == nil && k.shared && slices.ContainsFunc(lists, func(l keyList) bool { return l.routes != nil }) {
				err = errors.New("hold one with routes, which only API keys have: set the key alone")
			}
			if err != nil {
				return fmt.Errorf("%s: the keys of %s %w", k.all, called, err)
			}
			all = append(all, projectKeys{k.all, called, record.Project(project), lists})
			return nil
		})
	}
	return all, err
}

// keyLists reads a project's keys in JSON: a string, or an array of strings and of keys that are limited to routes.
func keyLists(value json.RawMessage) (lists []keyList, err error) {
	var text string
	if value[0] == '"' && json.Unmarshal(value, &text) == nil {
		return []keyList{{text: text}}, nil
	}
	bad := errors.New("are neither a string nor a list: set " + jsonForm + `, or {"shop":` + limitedForm + "}")
	var elements []json.RawMessage
	if value[0] != '[' || json.Unmarshal(value, &elements) != nil || len(elements) == 0 {
		return nil, bad
	}
	for _, element := range elements {
		var limited struct {
			Key    string
			Routes []string
		}
		d := json.NewDecoder(bytes.NewReader(element))
		d.DisallowUnknownFields()
		switch {
		case element[0] == '"' && json.Unmarshal(element, &text) == nil:
			lists = append(lists, keyList{text: text})
			continue
		case element[0] != '{' || d.Decode(&limited) != nil:
			return nil, bad
		case len(limited.Routes) == 0:
			return nil, errors.New("hold one without routes: set " + limitedForm + ", or the key alone, which is then good for all of them")
		case slices.ContainsFunc(limited.Routes, func(route string) bool { return !strings.HasPrefix(route, "/") }):
			return nil, errors.New("hold a route that is no path: set one such as /v1/traces")
		}
		lists = append(lists, keyList{limited.Key, limited.Routes})
	}
	return lists, nil
}

// eachMember calls f for the members of a JSON object, in their order, until one returns an error. It is not decoded into a
// map, where the last of two equal names would win; and its error holds nothing of the text.
func (k keyKind) eachMember(text string, f func(name string, value json.RawMessage) error) error {
	bad := errors.New(k.all + " is not a JSON object of strings: set " + jsonForm)
	d := json.NewDecoder(strings.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return bad
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return bad
		}
		var value json.RawMessage
		if d.Decode(&value) != nil {
			return bad
		}
		if err := f(name.(string), value); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return bad
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return bad
	}
	return nil
}
