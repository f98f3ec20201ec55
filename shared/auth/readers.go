package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"slices"
	"strings"
	"time"
)

// AllProjects stands for every project in the place of one's name.
const AllProjects = "*"

// SessionTime is how long a browser stays logged in.
const SessionTime = 12 * time.Hour

// sessionCookie has the prefix that makes browsers hold it to its host, to HTTPS and to the path /
// (RFC 6265bis, section 4.1.3.2).
const sessionCookie = "__Host-bitville"

// Readers are the live read keys. They are apart from the keys that records are sent with: those lie on every web host,
// and read nothing.
type Readers struct{ keys []readKey }

// readKey is what is kept of one read key: nothing that the key could be taken from.
type readKey struct {
	digest   [sha256.Size]byte // of the key
	id       [sessionID]byte   // names the key in a session
	mac      []byte            // signs the key's sessions, so that they end with it, and with no other
	projects []string
}

// Viewer is who reads: the projects that its key is for.
type Viewer struct{ projects []string }

// NewReaders takes the live read keys. A key that is there several times, for several projects, reads them all.
func NewReaders(keys []Key) *Readers {
	r := &Readers{}
	for _, k := range keys {
		digest := sha256.Sum256([]byte(k.Secret))
		if i := slices.IndexFunc(r.keys, func(known readKey) bool { return known.digest == digest }); i >= 0 {
			r.keys[i].projects = append(r.keys[i].projects, k.Project)
			continue
		}
		key := readKey{digest: digest, mac: sign([]byte(k.Secret), "bitville session"), projects: []string{k.Project}}
		copy(key.id[:], sign([]byte(k.Secret), "bitville session name"))
		r.keys = append(r.keys, key)
	}
	return r
}

// None tells that there is no read key, so that nobody may read anything.
func (r *Readers) None() bool { return len(r.keys) == 0 }

// Sees tells whether the viewer may see a project.
func (v Viewer) Sees(project string) bool {
	return slices.Contains(v.projects, project) || slices.Contains(v.projects, AllProjects)
}

// Projects returns the projects that the viewer's key names. All is not among them: it names none.
func (v Viewer) Projects() []string {
	return slices.DeleteFunc(slices.Clone(v.projects), func(project string) bool { return project == AllProjects })
}

// Viewer returns who a request is from: by its Authorization header (Bearer, or Basic with the key as the password), else
// by the session cookie that Login made. The error is ErrNoKey or ErrUnknownKey; a session that has ended counts as
// no key.
func (r *Readers) Viewer(req *http.Request, now time.Time) (Viewer, error) {
	key := ""
	scheme, rest, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		key = strings.Trim(rest, " ")
	case strings.EqualFold(scheme, "Basic"):
		_, key, _ = req.BasicAuth()
	default:
		return r.session(req, now)
	}
	if key == "" {
		return Viewer{}, ErrNoKey
	}
	found, ok := r.find(key)
	if !ok {
		return Viewer{}, ErrUnknownKey
	}
	return Viewer{found.projects}, nil
}

// find returns the read key of a text. How long it takes tells nothing of the keys.
func (r *Readers) find(key string) (found readKey, ok bool) {
	sum := sha256.Sum256([]byte(key))
	for _, k := range r.keys {
		if subtle.ConstantTimeCompare(sum[:], k.digest[:]) == 1 {
			found, ok = k, true
		}
	}
	return found, ok
}

// A session is the cookie's value: the key's id, the Unix second in which it ends, and an HMAC-SHA256 over both. The
// listener keeps no state of it, so that it holds over restarts and on every host that has the key.
const (
	sessionID    = 8
	sessionBytes = sessionID + 8 + sha256.Size
)

// Login returns the cookie that keeps a browser logged in for SessionTime. ok is false when the text is no read key.
func (r *Readers) Login(key string, now time.Time) (cookie *http.Cookie, ok bool) {
	k, ok := r.find(key)
	if !ok {
		return nil, false
	}
	value := binary.BigEndian.AppendUint64(k.id[:], uint64(now.Add(SessionTime).Unix()))
	value = append(value, sign(k.mac, string(value))...)
	return newCookie(base64.RawURLEncoding.EncodeToString(value), int(SessionTime.Seconds())), true
}

// Logout returns the cookie that ends a browser's session.
func Logout() *http.Cookie { return newCookie("", -1) }

func newCookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{Name: sessionCookie, Value: value, Path: "/", MaxAge: maxAge,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// session returns who the session cookie was made for.
func (r *Readers) session(req *http.Request, now time.Time) (Viewer, error) {
	cookie, err := req.Cookie(sessionCookie)
	if err != nil {
		return Viewer{}, ErrNoKey
	}
	value, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil || len(value) != sessionBytes {
		return Viewer{}, ErrNoKey
	}
	signed, mac := value[:sessionBytes-sha256.Size], value[sessionBytes-sha256.Size:]
	for _, k := range r.keys {
		if string(k.id[:]) != string(signed[:sessionID]) || !hmac.Equal(mac, sign(k.mac, string(signed))) {
			continue
		}
		if now.Unix() < int64(binary.BigEndian.Uint64(signed[sessionID:])) {
			return Viewer{k.projects}, nil
		}
	}
	return Viewer{}, ErrNoKey
}

func sign(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
