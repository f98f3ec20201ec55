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

	Count func(store.Count) // told what became of the records of each request, for metrics
}

// New returns the route of one ingest function, POST on path.
func New(path string, wire Wire, cfg Config) web.Routes {
	h := handler{cfg, wire}
	return web.Routes{"POST " + path: h.serve}
}

type handler struct {
	Config
	wire Wire
}

// serve takes a request's records and answers it. What the request holds in memory is counted from here: the body until
// it is stored or refused, and then the answer until it is written.
func (h *handler) serve(w *web.Response, r *http.Request) error {
	held := share{of: &h.Bodies.budget}
	w.After(held.giveAll)
	batch, result, err := h.receive(w, r, &held)
	if err != nil {
		held.giveAll()
		return h.wire.Refused(w, r, err)
	}
	held.give(held.n - sizeOf(batch.Rejected))
	return h.wire.Stored(w, r, batch, result)
}

// receive reads, decodes and stores the records of a request. An error says that none of them is known to be stored.
func (h *handler) receive(w *web.Response, r *http.Request, held *share) (batch record.Batch, result store.Result, err error) {
	project, err := h.authenticate(w, r)
	if err != nil {
		return batch, result, err
	}
	w.Log(slog.String("project", project))
	contentType := contentType(r)
	if err := h.wire.Accepts(contentType); err != nil {
		return batch, result, err
	}
	if err := h.Store.Admit(); err != nil {
		return batch, result, unavailable(err)
	}
	if err := held.take(perRequest); err != nil {
		return batch, result, err
	}
	sent, opened := h.wire.Limits()
	body, err := h.Bodies.read(w, r, sent, opened, held)
	if err != nil {
		return batch, result, err
	}
	batch, err = h.wire.Decode(body, contentType, record.Rules{Project: project, Now: h.Now(), Retention: h.Retention})
	if err != nil {
		h.logRefusal(w, r, err)
		return batch, result, err
	}
	h.logRejected(w, r, batch.Rejected)
	if err := held.take(sizeOf(batch.Rejected)); err != nil {
		return batch, result, err
	}
	if len(batch.Records) > 0 {
		// A client that hangs up does not take back what it sent.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), web.TimeLeft(r.Context(), storeTimeout))
		defer cancel()
		if result, err = h.Store.Insert(ctx, batch.Records); err != nil {
			return batch, result, unavailable(err)
		}
	}
	h.Count(store.Count{Source: h.wire.Name(), Project: project, Stored: result, Rejected: batch.Rejected})
	w.Log(slog.Int("accepted", result.Accepted), slog.Int("duplicates", result.Duplicates), slog.Int("rejected", len(batch.Rejected)))
	return batch, result, nil
}

// authenticate returns the project of the request's key. An address from which many wrong keys came is told to wait,
// before it can try more; a good key is never asked to, for others may be behind the same address.
func (h *handler) authenticate(w *web.Response, r *http.Request) (project string, err error) {
	client := clientip.Of(r, h.Proxies)
	if len(h.Proxies) > 0 {
		w.Log(slog.String("client", client.String()))
	}
	key, err := h.wire.Key(r)
	if err == nil {
		project, err = h.Keys.Project(key)
	}
	if err == nil {
		return project, nil
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

// contentType returns the media type of the body. Two of them are none, wherever lines are joined on the way.
func contentType(r *http.Request) string {
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
