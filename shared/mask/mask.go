// Package mask hides what may be secret in what was asked for: values in query strings and commands, secrets in paths,
// and attributes whose names say what they hold. Names stay, so that people still see what it was. It hides what the
// PHP agent hides, for records of agents that hide nothing.
//
// Literals of statements are the work of package statement, those of plans of package plan.
package mask

import (
	"regexp"
	"strings"
)

// URI returns what was asked for without the values: "/a?q=x&p=2" is "/a?q=&p=", "/reset/f3c0" is "/reset/*", and the
// command "cli.php import 17 --limit=20" is "cli.php import ? --limit=". User info and a fragment go. Masking twice changes nothing.
func URI(uri string) string {
	if !strings.HasPrefix(uri, "/") && !strings.Contains(uri, "://") && strings.Contains(uri, " ") {
		return command(uri)
	}
	uri, _, _ = strings.Cut(uri, "#")
	path, query, hasQuery := strings.Cut(uri, "?")
	if scheme, rest, ok := strings.Cut(path, "://"); ok {
		host, rest, hasPath := strings.Cut(rest, "/")
		path = scheme + "://" + host[strings.LastIndexByte(host, '@')+1:]
		if hasPath {
			path += "/" + rest
		}
	}
	segments := strings.Split(path, "/")
	secret := false // the segment before announces one
	for i, segment := range segments {
		announces := announcement.MatchString(segment)
		switch {
		case segment == "":
		case secret || longToken.MatchString(segment):
			segments[i] = "*"
		default:
			segments[i] = matrixValue.ReplaceAllString(segment, "$1")
		}
		secret = announces
	}
	path = strings.Join(segments, "/")
	if hasQuery {
		path += "?" + parameters(query)
	}
	return path
}

var (
	announcement = regexp.MustCompile(`(?i)(^|[-_.])(token|reset|key|verify)$`)
	// longToken is letters and digits that no word has so many of: session ids, reset tokens, API keys.
	longToken   = regexp.MustCompile(`[A-Za-z0-9]{32}`)
	matrixValue = regexp.MustCompile(`(;[^=;]*=)[^;]*`) // /a;jsessionid=x
	option      = regexp.MustCompile(`^--?[A-Za-z][\w-]*$`)
	subcommand  = regexp.MustCompile(`^[A-Za-z][\w:.-]*$`)
)

// parameters drops the values of a query string.
func parameters(query string) string {
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		name, _, hasValue := strings.Cut(pair, "=")
		if longToken.MatchString(name) {
			name = "*"
		}
		if hasValue {
			name += "="
		}
		pairs[i] = name
	}
	return strings.Join(pairs, "&")
}

// command drops the arguments of a command, but for the first when it is a word: most often it says what to do.
func command(line string) string {
	words := strings.Split(line, " ")
	for i, word := range words {
		name, _, hasValue := strings.Cut(word, "=")
		switch {
		case i == 0 || word == "":
		case strings.HasPrefix(name, "-") && hasValue:
			words[i] = name + "="
		case option.MatchString(word) || i == 1 && subcommand.MatchString(word) && !longToken.MatchString(word):
		default:
			words[i] = "?"
		}
	}
	return strings.Join(words, " ")
}

// Secret tells whether an attribute's name says that its value is secret: password, API-Key, http.request.header.cookie.
func Secret(name string) bool {
	name = separators.Replace(strings.ToLower(name))
	for _, word := range []string{"password", "passwd", "passphrase", "secret", "token", "authorization", "cookie", "apikey", "accesskey", "privatekey", "credential"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

var separators = strings.NewReplacer("-", "", "_", "", ".", "", " ", "")
