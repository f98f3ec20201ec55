package config

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Bounds of what is taken in silence, or at all.
const (
	leastRetention = time.Minute // below it agents could not deliver in time what is kept
	briefRetention = time.Hour
	leastHistory   = 24 * time.Hour // figures are kept by the day
	longRetention  = 100 * 365 * 24 * time.Hour
	leastBody      = 1 << 10  // bytes; below it hardly a record fits
	smallBody      = 64 << 10 // bytes; below it the profile of a framework's request does not
	longestKey     = 4 << 10  // bytes; proxies and servers refuse headers that are longer than 8 KiB
)

// inQuotes tells whether a value stands in quotes, as docker's --env-file hands it on.
func inQuotes(value string) bool {
	value = strings.TrimSpace(value)
	return len(value) >= 2 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0]
}

// quoted is what is told of it.
const quoted = "%s is in quotes, which belong to the value where no shell takes them off (docker --env-file): set it without"

// unquoted takes what stands in quotes out of set, and tells it.
func unquoted(set map[string]string) (problems []error) {
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if inQuotes(set[name]) {
			delete(set, name)
			problems = append(problems, fmt.Errorf(quoted, name))
		}
	}
	return problems
}

// isOfDatabase tells whether a problem is why there is no database.
func isOfDatabase(err error) bool {
	return strings.HasPrefix(err.Error(), "BITVILLE_DB_PATH ") || strings.HasPrefix(err.Error(), "BITVILLE_DB_URL ")
}

var (
	options   = regexp.MustCompile(`\?[a-z_]+=`)
	scheme    = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*:`)
	shellOnly = regexp.MustCompile(`^~|\$\{|\$\(|^\$[A-Za-z_]|^%[a-zA-Z]/|` + "`")
)

// checkPath tells what is wrong with a path's text. It shows the text only where that is no PEM.
func checkPath(text string) error {
	switch {
	case strings.Contains(text, "-----BEGIN"):
		return errors.New("holds a PEM itself: write that into a file, and set the file's path")
	case strings.TrimSpace(text) != text || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("is %q: a blank or a control character is no part of a path (a line that ends in \\r comes from Windows); take it out", text)
	case shellOnly.MatchString(text):
		return fmt.Errorf("is %q: nothing replaces ~, $ or %% here; write the path out, such as /var/lib/bitville/bitville.db", text)
	}
	return nil
}

// checkDBPath tells what is wrong with the text of the database's path: it must be a file's, not what SQLite takes beside.
func checkDBPath(text string) error {
	const file = "such as /var/lib/bitville/bitville.db"
	switch {
	case checkPath(text) != nil:
		return checkPath(text)
	case strings.HasPrefix(strings.ToLower(text), ":memory:"):
		return fmt.Errorf("is %q: records are kept in a file, for a restart would lose them; name one, %s", text, file)
	case regexp.MustCompile(`^(?i)(libsql|https?|wss?):`).MatchString(text):
		return errors.New("holds the URL of a server: set that as BITVILLE_DB_URL, and its token as BITVILLE_DB_AUTH_TOKEN")
	case scheme.MatchString(text):
		return fmt.Errorf("holds a URL: set the path of a file alone, %s", file)
	case options.MatchString(text):
		return fmt.Errorf("is %q: it takes no options; set the path of a file alone, %s", text, file)
	case regexp.MustCompile(`-(wal|shm|journal)$`).MatchString(text):
		return fmt.Errorf("is %q: that is SQLite's own file beside a database; name the database", text)
	case strings.HasSuffix(text, "/") || text == "." || text == "..":
		return fmt.Errorf("is %q: that is a folder; name a file in it, %s", text, file)
	}
	return nil
}

// checkToken tells what is wrong with the token of the database's server, without showing it.
func checkToken(text string) error {
	switch {
	case strings.HasPrefix(strings.ToLower(text), "bearer "):
		return errors.New("begins with Bearer: set what follows alone")
	case !isHeader(text):
		return errors.New("holds a character that no header can: use printable ASCII without spaces")
	}
	if unreplaced.MatchString(text) {
		return errors.New("is a placeholder: set what the server takes")
	}
	return nil
}

// isHeader tells whether a secret can stand in a header as it is.
func isHeader(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

var (
	// unreplaced is what a program was to put a secret in the place of, and did not.
	unreplaced = regexp.MustCompile(`^<.*>$|^\$[({A-Za-z_]|^\{\{|^%[A-Z_]+%$`)
	// placeholders stand in examples, ours too.
	placeholders = regexp.MustCompile(`(?i)^(change|replace)[-_ ]?(me|this|it)|^your[-_ ]|^the-((old|new)-)?key-of-|^(placeholder|todo|secret|password|token|key|api[-_]?key|example|xxx+)[0-9]*$`)
)

// placeholder tells, without showing it, when an API key is none yet.
func placeholder(key string) error {
	if unreplaced.MatchString(key) || placeholders.MatchString(key) {
		return errors.New("is a placeholder: set a secret, such as openssl rand -hex 20 makes")
	}
	return nil
}

// isPathOfSecret tells whether a key is the path of a file: one that is there, or that a container platform makes.
func isPathOfSecret(text string) bool {
	if strings.HasPrefix(text, "/run/secrets/") || strings.HasPrefix(text, "/run/credentials/") || strings.HasPrefix(text, "file://") {
		return true
	}
	if !strings.Contains(text, "/") {
		return false
	}
	info, err := os.Stat(text)
	return err == nil && !info.IsDir()
}

// guessable tells whether a key is one character or two, over and over, or a run of them.
func guessable(key string) bool {
	kinds := make(map[rune]bool)
	steps := make(map[int]bool)
	for i, r := range key {
		kinds[r] = true
		if i > 0 {
			steps[int(key[i])-int(key[i-1])] = true
		}
	}
	return len(kinds) < 4 || len(steps) == 1
}

var days = regexp.MustCompile(`^(\d{1,5})\s*(d|days?|w|weeks?|)$`)

// durationHint says what a retention was meant to be, where that can be told.
func durationHint(text string) string {
	parts := days.FindStringSubmatch(strings.ToLower(text))
	if parts == nil {
		return ""
	}
	n, _ := strconv.Atoi(parts[1])
	switch {
	case n == 0:
		return ""
	case parts[2] == "":
		return fmt.Sprintf(" (the unit is missing: %dh are %d hours)", n, n)
	case parts[2][0] == 'w':
		return fmt.Sprintf(" (%d weeks are %dh)", n, 7*24*n)
	}
	return fmt.Sprintf(" (%d days are %dh)", n, 24*n)
}

// doubts are warnings of values that can be meant, but hardly are.
func (c *Config) doubts(set map[string]string) (warnings []string) {
	warn := func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
	switch {
	case c.Retention < leastRetention: // is an error, or could not be read
	case c.Retention < briefRetention:
		warn("BITVILLE_RETENTION is %s: what an agent delivers later than that is refused; the usual is days, such as 168h", c.Retention)
	case c.Retention > longRetention:
		warn("BITVILLE_RETENTION is %s, more than 100 years: nothing is ever purged, and the disk fills up", c.Retention)
	}
	if set["BITVILLE_MAX_BODY_BYTES"] != "" && leastBody <= c.MaxBodyBytes && c.MaxBodyBytes < smallBody {
		warn("BITVILLE_MAX_BODY_BYTES is %d: a profile of a framework's request takes 25 to 164 KB, and would be refused; the default is 4194304", c.MaxBodyBytes)
	}
	for _, a := range []struct{ name, address string }{{"BITVILLE_LISTEN_ADDR", c.ListenAddr}, {"BITVILLE_UDP_ADDR", c.UDPAddr}} {
		if _, port, err := net.SplitHostPort(a.address); err == nil && strings.Trim(port, "0") == "" && !isLoopback(a.address) { // a test's way, there
			warn("%s has port 0, which is another port at each start: agents need one that stays", a.name)
		}
	}
	if c.DBURL == "" && c.DBPath != "" && c.DBAuthToken != "" {
		warn("BITVILLE_DB_AUTH_TOKEN does nothing without BITVILLE_DB_URL")
	}
	if c.DBURL != "" && len(c.ReadKeys) > 0 {
		warn("%s<PROJECT> and %s do nothing with BITVILLE_DB_URL: pages are read from a file", readKeys.prefix, readKeys.all)
	}
	if c.DBURL != "" && set["BITVILLE_DB_SYNCHRONOUS"] != "" {
		warn("BITVILLE_DB_SYNCHRONOUS does nothing with BITVILLE_DB_URL: the server decides")
	}
	if u, err := url.Parse(c.DBURL); err == nil && u.Scheme == "http" && c.DBAuthToken != "" && !isLoopback(net.JoinHostPort(u.Hostname(), "80")) {
		warn("BITVILLE_DB_URL is http://, so that BITVILLE_DB_AUTH_TOKEN and all records go over the network in clear; use libsql:// or https://")
	}
	if u, err := url.Parse(c.ACMEDirectoryURL); err == nil && len(c.ACMEDomains) > 0 && strings.Contains(u.Hostname(), "staging") {
		warn("BITVILLE_ACME_DIRECTORY_URL is that of an authority for trials, whose certificates no agent trusts")
	}
	return warnings
}
