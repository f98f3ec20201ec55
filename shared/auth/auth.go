// Package auth tells which project a request's API key is for.
//
// A key belongs to one project, and a project may have several live keys: that is how a key is rotated.
// Only digests are kept.
package auth

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// Reasons why a request has no project. Their texts are for clients.
var (
	ErrNoKey      = errors.New(`no API key: send the header "Authorization: Bearer <key>"`)
	ErrTwoKeys    = errors.New("two different API keys in one request: send one")
	ErrUnknownKey = errors.New("unknown API key: send one that the listener has for the project")
)

// RouteError says that a key is good for other routes than the one that it was sent to.
type RouteError struct{ Routes []string }

func (e *RouteError) Error() string {
	return fmt.Sprintf("the key is for %s alone", strings.Join(e.Routes, ", "))
}

// Secret is a text that must not be shown: however it is printed or logged, it reads [redacted].
type Secret string

const redacted = "[redacted]"

func (Secret) String() string               { return redacted }
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Format makes it so for every verb: a wrong one prints a value by its kind, past String.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// Key is one API key and the project that it is for.
type Key struct {
	Project string
	Secret  Secret
	Routes  []string // paths that it is good for, such as "/v1/traces"; nil: all
}

// Keys are the live keys of all projects.
type Keys struct {
	grants map[[sha256.Size]byte]grant // by the SHA-256 of a key
}

// grant is what a key is good for.
type grant struct {
	project string
	routes  []string
}

// NewKeys takes the live keys. A key that is given to two projects would be the last one's: config refuses it.
func NewKeys(keys []Key) *Keys {
	grants := make(map[[sha256.Size]byte]grant, len(keys))
	for _, k := range keys {
		grants[sha256.Sum256([]byte(k.Secret))] = grant{k.Project, k.Routes}
	}
	return &Keys{grants}
}

// Places are where a kind of client may put its key, beside the header "Authorization: Bearer <key>".
type Places struct {
	Basic bool   // the password of "Authorization: Basic"; the user name is free
	Query string // the query's parameter of this name
	Path  bool   // the value "key" of the route's pattern
}

// Key returns the key that a request has in one of the places. In several places it must be the same one. The error is
// ErrTwoKeys, or one that wraps ErrNoKey and names the places.
func (p Places) Key(r *http.Request) (key string, err error) {
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		key = strings.Trim(rest, " ")
	case p.Basic:
		_, key, _ = r.BasicAuth()
	}
	var inURL []string
	if p.Query != "" {
		inURL = r.URL.Query()[p.Query]
	}
	if p.Path {
		inURL = append(inURL, r.PathValue("key"))
	}
	for _, other := range inURL {
		if key != "" && other != "" && other != key {
			return "", ErrTwoKeys
		}
		key = cmp.Or(key, other)
	}
	if key == "" {
		return "", p.noKey()
	}
	return key, nil
}

// noKey is ErrNoKey with the other places.
func (p Places) noKey() error {
	others := ""
	if p.Basic {
		others += ", or Basic with the key as the password"
	}
	if p.Query != "" {
		others += ", or ?" + p.Query + "=<key> in the URL"
	}
	if p.Path {
		others += ", or /k/<key> before the URL's path"
	}
	if others == "" {
		return ErrNoKey
	}
	return fmt.Errorf("%w%s", ErrNoKey, others)
}

// Project returns the project that a key is for, on a route: a path. The error is ErrUnknownKey, or with the project a
// *RouteError. How long it takes tells nothing of the keys: each is compared, in constant time.
func (k *Keys) Project(key, route string) (string, error) {
	sum := sha256.Sum256([]byte(key))
	var found grant
	for digest, grant := range k.grants {
		if subtle.ConstantTimeCompare(sum[:], digest[:]) == 1 {
			found = grant
		}
	}
	switch {
	case found.project == "":
		return "", ErrUnknownKey
	case len(found.routes) > 0 && !slices.Contains(found.routes, route):
		return found.project, &RouteError{found.routes}
	}
	return found.project, nil
}
