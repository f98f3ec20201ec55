package config

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/bitville/listener/shared/record"
)

// check tells what no single variable's type can. What is wrong is then empty.
func (a *Agent) check(p program, set map[string]string) (warnings []string, problems []error) {
	wrong := func(name string, err error) { problems = append(problems, fmt.Errorf("%s %w", name, err)) }
	if err := checkListenerURL(a.URL); err != nil {
		wrong("BITVILLE_URL", fmt.Errorf("%w: set %s", err, p.like("BITVILLE_URL")))
		a.URL = ""
	}
	for _, path := range []struct {
		name  string
		value *string
	}{{"BITVILLE_CA_PATH", &a.CAPath}, {"BITVILLE_STATE_DIR", &a.StateDir}} {
		if *path.value == "" {
			continue
		}
		if err := checkPath(*path.value); err != nil {
			wrong(path.name, err)
			*path.value = ""
		}
	}
	if set["BITVILLE_STATE_DIR"] == "" {
		wrong("BITVILLE_STATE_DIR", errors.New("is not set: name a folder for what is not yet sent, such as /var/lib/bitville-relay"))
	}
	like := func(name string, ok bool) bool {
		if set[name] != "" && !ok {
			wrong(name, fmt.Errorf("is %q: set %s", set[name], p.like(name)))
			return false
		}
		return true
	}
	like("BITVILLE_SPOOL_MAX_BYTES", a.SpoolMaxBytes >= leastSpool)
	like("BITVILLE_FLUSH_INTERVAL", a.FlushInterval > 0)
	if !like("BITVILLE_METRICS_ADDR", isAddress(a.MetricsAddr)) {
		a.MetricsAddr = ""
	}
	if a.MetricsAddr != "" && !isLoopback(a.MetricsAddr) {
		warnings = append(warnings, metricsAreOpen)
	}
	return warnings, problems
}

// checkListenerURL tells what is wrong with the URL of a listener. It shows nothing of the URL, which may hold a password.
func checkListenerURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return errors.New("is not set")
	case err != nil || u.Scheme == "":
		return errors.New("is no URL")
	case u.Scheme == "udp" || u.Scheme == "file":
		return fmt.Errorf("begins with %s://, which is for PHP agents, that send to a relay", u.Scheme)
	case u.Scheme != "https":
		return fmt.Errorf("begins with %s: and not with https://, over which keys and records are sent", u.Scheme)
	case u.Hostname() == "":
		return errors.New("names no host")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("holds more than a host and a path; a key is set with BITVILLE_API_KEY")
	case strings.HasSuffix(strings.TrimSuffix(u.Path, "/"), "/ingest/php") || strings.HasSuffix(strings.TrimSuffix(u.Path, "/"), "/ingest/postgres"):
		return errors.New("ends in a path that the agent adds itself")
	}
	return nil
}

// readKeys reads the keys. hasKey says that BITVILLE_API_KEY is set, or that what is wrong with it was told.
func (a *Agent) readKeys(vars map[string]string, hasKey, hasAllKeys bool) (warnings []string, problems []error) {
	var all []projectKeys
	if hasAllKeys {
		var err error
		if all, err = apiKeys.ofProjects(vars); err != nil {
			problems = append(problems, err)
		}
	}
	project := record.Project(a.Project)
	isAmong := slices.ContainsFunc(all, func(k projectKeys) bool { return k.project == project })
	switch {
	case a.Key != "" && project != "":
		all = append([]projectKeys{{"BITVILLE_API_KEY", "project " + project, project, []keyList{{text: string(a.Key)}}}}, all...)
	case a.Key != "":
		problems = append(problems, errors.New("BITVILLE_PROJECT is not set: name the project that BITVILLE_API_KEY is of, such as shop"))
	case hasKey || isAmong || len(problems) > 0:
	case project != "":
		problems = append(problems, fmt.Errorf("BITVILLE_API_KEY is not set: set the key that the listener has for the project %s, or with BITVILLE_API_KEY_FILE the path of a file that holds it", project))
	case len(all) == 0:
		problems = append(problems, errors.New("BITVILLE_PROJECT and BITVILLE_API_KEY are not set: name the project that the records are of, such as shop, and set its key"))
	}
	keys, warnings, wrong := apiKeys.check(all)
	a.Keys = keys
	return warnings, append(problems, wrong...)
}
