package traces

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/view"
	"github.com/bitville/listener/shared/web"
)

// Looking has its own budget, so that it never slows what is stored.
const (
	maxPages  = 4                // made at one time; a browser waits for its turn
	queueTime = 10 * time.Second // of that wait
	pageTime  = 2 * time.Second  // of a page's reads
)

// request is one request for a page, of a reader who is known.
type request struct {
	*http.Request
	ctx    context.Context // ends with the page's time
	viewer auth.Viewer
	frame  *frame
	html   bool
	query  url.Values
}

// elsewhere is the error of a page that stands somewhere else.
type elsewhere string

func (e elsewhere) Error() string { return "see " + string(e) }

// page answers with a view: as HTML by a template, or as JSON.
func (h *handler) page(template string, fill func(r *request) (any, error)) web.Handler {
	return h.open(func(w *web.Response, r *http.Request) error {
		viewer, ok, err := h.viewer(w, r)
		if err != nil || !ok {
			return err
		}
		release, ctx, err := h.enter(r)
		if err != nil {
			return err
		}
		defer release()
		req := &request{Request: r, ctx: ctx, viewer: viewer, frame: &frame{LoggedIn: true}, html: wantsHTML(r), query: r.URL.Query()}
		v, err := fill(req)
		if to, ok := errors.AsType[elsewhere](err); ok {
			redirect(w, string(to))
			return nil
		}
		if err != nil {
			return err
		}
		if req.html {
			return h.html(w, http.StatusOK, template, req.frame, v)
		}
		return w.JSON(http.StatusOK, v)
	})
}

// enter waits for its turn. The context that it returns ends when the page's time is up.
func (h *handler) enter(r *http.Request) (release func(), ctx context.Context, err error) {
	turn, cancel := context.WithTimeout(r.Context(), web.TimeLeft(r.Context(), queueTime))
	defer cancel()
	select {
	case h.slots <- struct{}{}:
	case <-turn.Done():
		return nil, nil, turn.Err()
	}
	ctx, cancelPage := context.WithTimeout(r.Context(), web.TimeLeft(r.Context(), pageTime))
	return func() { <-h.slots; cancelPage() }, ctx, nil
}

// fail answers with an error, which a browser gets as a page.
func (h *handler) fail(w *web.Response, r *http.Request, err error) error {
	e, ok := errors.AsType[*web.Error](err)
	switch {
	case ok:
	case errors.Is(err, view.ErrNotFound):
		e = errNotFound
	case errors.Is(err, context.DeadlineExceeded):
		e = &web.Error{Status: http.StatusServiceUnavailable, Text: "Busy: the page would have taken too long; try again, or ask for a shorter span",
			Header: http.Header{"Retry-After": {"2"}}, Cause: err}
	default:
		return err
	}
	if !wantsHTML(r) {
		return e
	}
	for name, values := range e.Header {
		w.Header()[name] = values
	}
	if e.Cause != nil {
		w.Because(e)
	}
	_, err = h.Readers.Viewer(r, h.Now())
	return h.html(w, e.Status, "error", &frame{Title: http.StatusText(e.Status), LoggedIn: err == nil}, e)
}

// wantsHTML tells whether a browser asks: everything else gets JSON.
func wantsHTML(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept"), ",") {
		if kind, _, _ := mime.ParseMediaType(part); kind == "text/html" {
			return true
		}
	}
	return false
}

// asJSON returns the request that a path with .json at its end stands for.
func asJSON(r *http.Request) *http.Request {
	const ending = ".json"
	if !strings.HasSuffix(r.URL.Path, ending) {
		return r
	}
	r = r.Clone(r.Context())
	r.Header.Set("Accept", "application/json")
	for _, name := range []string{"project", "id", "key", "part", "n"} {
		if value := r.PathValue(name); value != "" && strings.HasSuffix(r.URL.Path, "/"+value) {
			r.SetPathValue(name, strings.TrimSuffix(value, ending))
		}
	}
	return r
}

// secure sets what every answer has.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Cache-Control", "private, no-store")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Add("Vary", "Accept")
}

// redirect answers with another page's address.
func redirect(w *web.Response, to string) {
	w.Header().Set("Location", to)
	w.Data(http.StatusSeeOther, "text/plain; charset=utf-8", []byte("See "+to+"\n"))
}

func redirectTo(to string) web.Handler {
	return func(w *web.Response, _ *http.Request) error {
		redirect(w, to)
		return nil
	}
}
