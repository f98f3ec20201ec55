// Package intake is the handler that the ingest functions share: it authenticates a request, reads and decodes its body,
// stores the valid records and says what became of each. What makes one function different from another is its path and
// its Wire.
package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/clientip"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/web"
)

// storeTimeout is how long a request waits for its transaction before it is told to come again.
const storeTimeout = 10 * time.Second

// Store is where records go. Its errors are *store.Unavailable.
type Store interface {
	// Admit tells at once whether Insert would have room. It is asked once a request, before the body is read.
	Admit() error

	// Insert returns once the records are committed. An error says that they may not be, and that sending them again is
	// safe.
	Insert(ctx context.Context, records []record.Record) (store.Result, error)
}

// Config is what an ingest function needs.
type Config struct {
	Keys      *auth.Keys
	Store     Store
	Log       *slog.Logger
	Now       func() time.Time
	Retention time.Duration    // older records are refused
	Bodies    *Bodies          // shared by the handlers of a process
	Throttle  *auth.Throttle   // of wrong keys
	Proxies   clientip.Proxies // that tell whom they forward for
	Keep      []string         // of mask.Dropped: what wires of other agents' formats store all the same
	Redact    bool             // wires take the literals out of statements and plans

	Count func(store.Count) // told what became of the records of each request, for metrics
}

// New returns the route of one ingest function, POST on path, and the one with the key before the path where the wire
// takes that.
func New(path string, wire Wire, cfg Config) web.Routes {
	h := handler{cfg, wire, path}
	routes := web.Routes{"POST " + path: h.serve}
	if wire.Keys().Path {
		routes["POST "+KeyInPath(path)] = h.serve
	}
	return routes
}

// KeyInPath returns the pattern's path of a route whose requests have the key in front: /k/<key>/….
func KeyInPath(path string) string { return web.KeyPath + path }

type handler struct {
	Config
	wire Wire
	path string // that keys are limited to
}

// serve takes a request's records and answers it. What the request holds in memory is counted from here: the body until
// it is stored or refused, and then the answer until it is written.
func (h *handler) serve(w *web.Response, r *http.Request) error {
	sent, opened := h.wire.Limits()
	held := share{of: &h.Bodies.budget, large: opened > record.MaxBody}
	w.After(held.giveAll)
	project, batch, result, err := h.receive(w, r, sent, opened, &held)
	if err != nil {
		held.giveAll()
		err = h.wire.Refused(w, r, err)
		if e, ok := errors.AsType[*web.Error](err); ok && e.Status == http.StatusAccepted {
			h.Count(store.Count{Source: h.wire.Name(), Project: project, Dropped: 1})
		}
		return err
	}
	held.give(held.n - sizeOf(batch.Rejected))
	return h.wire.Stored(w, r, batch, result)
}

// receive reads, decodes and stores the records of a request: at most sent bytes (0: as the settings say), and opened ones once decompressed. An error
// says that none of them is known to be stored.
func (h *handler) receive(w *web.Response, r *http.Request, sent, opened int64, held *share) (project string, batch record.Batch, result store.Result, err error) {
	project, err = h.authenticate(w, r)
	if project != "" {
		w.Log(slog.String("project", project))
	}
	if err != nil {
		return project, batch, result, err
	}
	contentType := ContentType(r)
	if err := h.wire.Accepts(contentType); err != nil {
		return project, batch, result, err
	}
	if err := h.Store.Admit(); err != nil {
		return project, batch, result, unavailable(err)
	}
	if err := held.take(perRequest); err != nil {
		return project, batch, result, err
	}
	body, err := h.Bodies.read(w, r, sent, opened, held)
	if err != nil {
		return project, batch, result, err
	}
	batch, err = h.wire.Decode(body, contentType, record.Rules{Project: project, Now: h.Now(), Retention: h.Retention}, held.room)
	if err != nil {
		h.logRefusal(w, r, err)
		return project, batch, result, err
	}
	h.logRejected(w, r, batch.Rejected)
	if err := held.take(sizeOf(batch.Rejected)); err != nil {
		return project, batch, result, err
	}
	if result, err = h.store(r, project, batch); err != nil {
		return project, batch, result, err
	}
	w.Log(slog.Int("accepted", result.Accepted), slog.Int("duplicates", result.Duplicates), slog.Int("rejected", len(batch.Rejected)))
	return project, batch, result, nil
}

// authenticate returns the project of the request's key, also with the error that the key is for other routes. An address from which many wrong keys came is told to wait,
// before it can try more; a good key is never asked to, for others may be behind the same address.
func (h *handler) authenticate(w *web.Response, r *http.Request) (project string, err error) {
	client := clientip.Of(r, h.Proxies)
	if len(h.Proxies) > 0 {
		w.Log(slog.String("client", client.String()))
	}
	key, err := h.wire.Keys().Key(r)
	if err == nil {
		project, err = h.Keys.Project(key, h.path)
	}
	if err == nil {
		return project, nil
	}
	if other, ok := errors.AsType[*auth.RouteError](err); ok {
		return project, &web.Error{
			Status: http.StatusForbidden,
			Text:   fmt.Sprintf("The key is for %s alone; nothing was stored", strings.Join(other.Routes, ", ")),
		}
	}
	if wait := h.Throttle.Fail(clientip.Network(client)); wait > 0 {
		return "", &web.Error{
			Status: http.StatusTooManyRequests,
			Text:   "Too many requests without a valid API key from this address; set the right key, and wait",
			Header: http.Header{"Retry-After": {web.RetryAfter(wait)}},
			Cause:  fmt.Errorf("%w, from %s", err, client),
		}
	}
	text := err.Error()
	return "", &web.Error{
		Status: http.StatusUnauthorized,
		Text:   strings.ToUpper(text[:1]) + text[1:],
		Header: http.Header{"Www-Authenticate": {"Bearer"}},
	}
}

// ContentType returns the media type of the body. Two of them are none, wherever lines are joined on the way.
func ContentType(r *http.Request) string {
	mediaType, _, _ := strings.Cut(strings.Join(r.Header.Values("Content-Type"), ","), ";")
	return strings.ToLower(strings.TrimSpace(mediaType))
}

// sizeOf estimates the bytes that an answer takes that lists rejected records, encoded too: a few bytes of each
// bad record can make many of them.
func sizeOf(rejected []record.Rejection) (n int64) {
	const overhead = 64 // of a detail and its JSON around their texts
	for i := range rejected {
		n += overhead
		for _, d := range rejected[i].Details {
			n += overhead + 3*int64(len(d.Path)+len(d.Message))
		}
	}
	return n
}

func unavailable(err error) error {
	reason, after := "the store failed", 5*time.Second
	if u, ok := errors.AsType[*store.Unavailable](err); ok {
		reason, after = u.Reason, u.RetryAfter
	}
	return &web.Error{
		Status: http.StatusServiceUnavailable,
		Text:   "Not stored: " + reason + "; send the same body again later",
		Header: http.Header{"Retry-After": {web.RetryAfter(after)}},
		Cause:  err,
	}
}
