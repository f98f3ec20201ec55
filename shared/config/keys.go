package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/record"
)

// shortKey is the length in bytes under which a key is worth a warning: it could be guessed.
const shortKey = 16

// readKeys reads the API keys of all projects. No text that it returns holds a key.
func readKeys(vars map[string]string) (keys []auth.Key, warnings []string, problems []error) {
	from := make(map[string]string) // project: the variable that has its keys
	add := func(variable, project, list string) {
		project = record.Project(project)
		if n := len([]rune(project)); n < 1 || n > record.MaxProject {
			problems = append(problems, fmt.Errorf("%s: the project's name is %d characters long; 1 to %d", variable, n, record.MaxProject))
			return
		}
		if other, ok := from[project]; ok {
			problems = append(problems, fmt.Errorf("%s: project %s has its keys in %s already; put them in one list", variable, project, other))
			return
		}
		from[project] = variable
		for key := range strings.SplitSeq(list, ",") {
			key = strings.TrimSpace(key)
			switch {
			case key == "":
				problems = append(problems, fmt.Errorf("%s: a key of project %s is empty; set it, or remove the comma or the variable", variable, project))
				continue
			case strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }):
				problems = append(problems, fmt.Errorf("%s: a key of project %s holds a character that no header can; use printable ASCII without spaces", variable, project))
				continue
			case len(key) < shortKey:
				warnings = append(warnings, fmt.Sprintf("%s: a key of project %s is shorter than %d characters and could be guessed", variable, project, shortKey))
			}
			if other := slices.IndexFunc(keys, func(k auth.Key) bool { return string(k.Secret) == key && k.Project != project }); other >= 0 {
				problems = append(problems, fmt.Errorf("%s: project %s has the same key as project %s; give each its own", variable, project, keys[other].Project))
				continue
			}
			keys = append(keys, auth.Key{Project: project, Secret: auth.Secret(key)})
		}
	}
	found := false
	names := make([]string, 0, len(vars))
	for name := range vars {
		names = append(names, name)
	}
	slices.Sort(names) // so that problems come in one order
	for _, name := range names {
		if project, ok := strings.CutPrefix(name, keyPrefix); ok {
			found = true
			add(name, project, vars[name])
		}
	}
	if text := vars[keysName]; text != "" {
		found = true
		if err := eachMember(text, func(project, list string) { add(keysName, project, list) }); err != nil {
			problems = append(problems, err)
		}
	}
	if len(keys) == 0 && len(problems) == 0 {
		reason := "no API key is set"
		if found {
			reason = keysName + " holds no key"
		}
		problems = append(problems, errors.New(reason+": set "+keyPrefix+"SHOP=<key> for a project named shop"))
	}
	return keys, warnings, problems
}

// eachMember calls f for the members of a JSON object of strings, in their order. It is not decoded into a
// map, where the last of two equal names would win; and its error holds nothing of the text.
func eachMember(text string, f func(name, value string)) error {
	bad := errors.New(keysName + ` is not a JSON object of strings: set {"shop":"key[,key…]"}`)
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
