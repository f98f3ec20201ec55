package traces

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/clientip"
	"github.com/bitville/listener/shared/web"
)

const (
	loginPath = Path + "login"
	maxForm   = 4 << 10 // bytes of the login form
)

var errNotFound = &web.Error{Status: http.StatusNotFound, Text: "Not found"}

// open answers whoever asks, as long as there is a read key at all.
func (h *handler) open(answer web.Handler) web.Handler {
	return func(w *web.Response, r *http.Request) error {
		r = asJSON(r)
		secure(w.Header())
		if h.Readers.None() {
			return errNotFound
		}
		if err := answer(w, r); err != nil {
			return h.fail(w, r, err)
		}
		return nil
	}
}

// viewer returns who asks. ok is false when the answer is given already.
func (h *handler) viewer(w *web.Response, r *http.Request) (viewer auth.Viewer, ok bool, err error) {
	if query := r.URL.Query(); query.Has("key") {
		return viewer, false, h.exchange(w, r, query)
	}
	viewer, err = h.Readers.Viewer(r, h.Now())
	switch {
	case err == nil:
		return viewer, true, nil
	case errors.Is(err, auth.ErrUnknownKey):
		return viewer, false, h.stranger(r)
	case wantsHTML(r):
		redirect(w, loginPath+"?next="+url.QueryEscape(r.URL.RequestURI()))
		return viewer, false, nil
	}
	return viewer, false, unauthorized("No read key: send the header \"Authorization: Bearer <read key>\"")
}

// exchange makes the cookie of a key in a link, and takes the key out of the browser's address.
func (h *handler) exchange(w *web.Response, r *http.Request, query url.Values) error {
	cookie, ok := h.Readers.Login(query.Get("key"), h.Now())
	if !ok {
		return h.stranger(r)
	}
	w.Header().Add("Set-Cookie", cookie.String())
	query.Del("key")
	redirect(w, (&url.URL{Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: query.Encode()}).String())
	return nil
}

// stranger answers a wrong key. An address from which many came is told to wait before it can try more; a good key never
// has to.
func (h *handler) stranger(r *http.Request) error {
	client := clientip.Of(r, h.Proxies)
	if wait := h.Throttle.Fail(clientip.Network(client)); wait > 0 {
		return &web.Error{
			Status: http.StatusTooManyRequests,
			Text:   "Too many wrong read keys from this address; set the right key, and wait",
			Header: http.Header{"Retry-After": {web.RetryAfter(wait)}},
		}
	}
	return unauthorized("Unknown read key: use one that the listener has; a key to send records with reads nothing")
}

func unauthorized(text string) error {
	return &web.Error{Status: http.StatusUnauthorized, Text: text, Header: http.Header{"Www-Authenticate": {"Bearer"}}}
}

// loginPage is what the form shows.
type loginPage struct {
	Next  string `json:"-"`
	Error string `json:"-"`
}

func (h *handler) loginForm(w *web.Response, r *http.Request) error {
	return h.html(w, http.StatusOK, "login", &frame{Title: "Log in"}, loginPage{Next: safeNext(r.URL.Query().Get("next"))})
}

func (h *handler) login(w *web.Response, r *http.Request) error {
	if err := h.protection.Check(r); err != nil {
		return &web.Error{Status: http.StatusForbidden, Text: "The form was sent by another site", Cause: err}
	}
	r.Body = http.MaxBytesReader(nil, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return &web.Error{Status: http.StatusBadRequest, Text: "The form cannot be read: send the field key", Cause: err}
	}
	next := safeNext(r.PostForm.Get("next"))
	cookie, ok := h.Readers.Login(strings.TrimSpace(r.PostForm.Get("key")), h.Now())
	if ok {
		w.Header().Add("Set-Cookie", cookie.String())
		redirect(w, next)
		return nil
	}
	err := h.stranger(r)
	if e, is := errors.AsType[*web.Error](err); is && wantsHTML(r) {
		for name, values := range e.Header {
			w.Header()[name] = values
		}
		return h.html(w, e.Status, "login", &frame{Title: "Log in"}, loginPage{next, e.Text + "."})
	}
	return err
}

func (h *handler) logout(w *web.Response, r *http.Request) error {
	if err := h.protection.Check(r); err != nil {
		return &web.Error{Status: http.StatusForbidden, Text: "The form was sent by another site", Cause: err}
	}
	w.Header().Add("Set-Cookie", auth.Logout().String())
	redirect(w, loginPath)
	return nil
}

// safeNext returns where a login goes on to: a page of this handler, whatever the link said.
func safeNext(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(u.Path, Path) ||
		strings.HasPrefix(u.Path, loginPath) || strings.HasPrefix(u.Path, Path+"logout") || strings.Contains(next, `\`) || strings.Contains(u.Path, "//") {
		return Path
	}
	query := u.Query()
	query.Del("key")
	return (&url.URL{Path: u.Path, RawPath: u.RawPath, RawQuery: query.Encode()}).String()
}
