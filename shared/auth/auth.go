// Package auth tells which project a request's API key is for.
//
// A key belongs to one project, and a project may have several live keys: that is how a key is rotated.
// Only digests are kept.
package auth

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Reasons why a request has no project. Their texts are for clients.
var (
	ErrNoKey      = errors.New(`no API key: send the header "Authorization: Bearer <key>"`)
	ErrUnknownKey = errors.New("unknown API key: send one that the listener has for the project")
)

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
}

// Keys are the live keys of all projects.
type Keys struct {
	digests map[[sha256.Size]byte]string // SHA-256 of a key, and its project
}

// NewKeys takes the live keys. A key that is given to two projects would be the last one's: config refuses it.
func NewKeys(keys []Key) *Keys {
	digests := make(map[[sha256.Size]byte]string, len(keys))
	for _, k := range keys {
		digests[sha256.Sum256([]byte(k.Secret))] = k.Project
	}
	return &Keys{digests: digests}
}

// Bearer returns the key that a request has in the header "Authorization: Bearer <key>". The error is ErrNoKey.
func Bearer(r *http.Request) (key string, err error) {
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	key = strings.Trim(key, " ")
	if !strings.EqualFold(scheme, "Bearer") || key == "" {
		return "", ErrNoKey
	}
	return key, nil
}

// Project returns the project that a key is for. The error is ErrUnknownKey. How long it takes tells nothing of the keys:
// each is compared, in constant time.
func (k *Keys) Project(key string) (string, error) {
	sum := sha256.Sum256([]byte(key))
	found := ""
	for digest, project := range k.digests {
		if subtle.ConstantTimeCompare(sum[:], digest[:]) == 1 {
			found = project
		}
	}
	if found == "" {
		return "", ErrUnknownKey
	}
	return found, nil
}
