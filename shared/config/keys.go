package config

import (
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

// jsonForm is what keysName must hold.
const jsonForm = `{"shop":"key[,key…]"}`

// projectKeys are one project's keys as they were set. Texts call a project by its name only where that is the
// variable's: in JSON by its place, for who mixes up names and keys there would find his keys in the log.
type projectKeys struct {
	variable, called string
	project, list    string
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

// readKeys reads the API keys of all projects. No text that it returns holds a key. told says that what is missing has
// been told.
func readKeys(vars map[string]string, told bool) (keys []auth.Key, warnings []string, problems []error) {
	all, err := allKeys(vars)
	if err != nil {
		problems = append(problems, err)
	}
	fail := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	first := make(map[string]projectKeys) // of each project
	for _, p := range all {
		if p.swapped() {
			if p.variable != keysName {
				p.variable = keyPrefix + "<PROJECT>"
			}
			fail("%s: a project's name has %d characters and its key %d, as if they were swapped; set %sSHOP=<key>, or %s=%s",
				p.variable, len(p.project), len(p.list), keyPrefix, keysName, jsonForm)
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
		if inQuotes(p.list) {
			fail(quoted, p.variable)
			continue
		}
		for key := range strings.SplitSeq(p.list, ",") {
			key = strings.TrimSpace(key)
			switch {
			case key == "":
				fail("%s: a key of %s is empty; set it, or remove the comma or the variable", p.variable, p.called)
				continue
			case inQuotes(key):
				fail(quoted, p.variable+": a key of "+p.called)
				continue
			case strings.HasPrefix(strings.ToLower(key), "bearer "):
				fail("%s: a key of %s begins with Bearer: set the key alone", p.variable, p.called)
				continue
			case isAssignment(key, p.project):
				fail("%s: a key of %s begins with a name and = or :, as a line of a settings file does; set the key alone", p.variable, p.called)
				continue
			case !isHeader(key):
				fail("%s: a key of %s holds a character that no header can; use printable ASCII without spaces", p.variable, p.called)
				continue
			case len(key) > longestKey:
				fail("%s: a key of %s is longer than %d characters, which proxies refuse in a header; use a shorter one", p.variable, p.called, longestKey)
				continue
			case placeholder(key) != nil:
				fail("%s: a key of %s %w", p.variable, p.called, placeholder(key))
				continue
			case isPathOfSecret(key):
				fail("%s: a key of %s is the path of a file; set %s to have the key read from it", p.variable, p.called, p.variable+fileSuffix)
				continue
			case len(key) >= shortKey && guessable(key):
				warnings = append(warnings, fmt.Sprintf("%s: a key of %s is the same few characters over and over, or a run of them, and could be guessed", p.variable, p.called))
			case len(key) < shortKey:
				warnings = append(warnings, fmt.Sprintf("%s: a key of %s is shorter than %d characters and could be guessed", p.variable, p.called, shortKey))
			}
			if other := slices.IndexFunc(keys, func(k auth.Key) bool { return string(k.Secret) == key && k.Project != p.project }); other >= 0 {
				fail("%s: %s has the same key as %s; give each its own", p.variable, p.called, first[keys[other].Project].called)
				continue
			}
			keys = append(keys, auth.Key{Project: p.project, Secret: auth.Secret(key)})
		}
	}
	if len(keys) == 0 && len(problems) == 0 && !told {
		reason := "no API key is set"
		if vars[keysName] != "" {
			reason = keysName + " holds no key"
		}
		fail("%s: set %sSHOP=<key> for a project named shop", reason, keyPrefix)
	}
	return keys, warnings, problems
}

// swapped tells whether the name looks like a key, and the key does not.
func (p projectKeys) swapped() bool {
	return len(p.project) >= shortKey && strings.ContainsAny(p.project, "0123456789") && len(p.list) < shortKey && p.list != ""
}

// allKeys collects the keys of all projects: by the variables' names, so that problems come in one order, and
// then those in JSON.
func allKeys(vars map[string]string) (all []projectKeys, err error) {
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if project, ok := strings.CutPrefix(name, keyPrefix); ok {
			project = record.Project(project)
			all = append(all, projectKeys{name, "project " + project, project, vars[name]})
		}
	}
	if text := vars[keysName]; inQuotes(text) {
		err = fmt.Errorf(quoted, keysName)
	} else if text != "" {
		n := 0
		err = eachMember(text, func(project, list string) {
			n++
			all = append(all, projectKeys{keysName, fmt.Sprintf("project no. %d", n), record.Project(project), list})
		})
	}
	return all, err
}

// eachMember calls f for the members of a JSON object of strings, in their order. It is not decoded into a
// map, where the last of two equal names would win; and its error holds nothing of the text.
func eachMember(text string, f func(name, value string)) error {
	bad := errors.New(keysName + " is not a JSON object of strings: set " + jsonForm)
	d := json.NewDecoder(strings.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return bad
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return bad
		}
		value, err := d.Token()
		if err != nil {
			return bad
		}
		list, ok := value.(string)
		if !ok {
			return bad
		}
		f(name.(string), list)
	}
	if _, err := d.Token(); err != nil {
		return bad
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return bad
	}
	return nil
}
