// Package intake is the handler that the ingest functions share: it authenticates a request, reads and
// decodes its body, stores the valid records and says what became of each. What makes one function
// different from another is its path and its record.Source.
package intake

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
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

// Store is where records go. Insert returns once they are committed; its error says that they may not be,
// and that sending them again is safe.
type Store interface {
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
	Admit     func() error     // asked before a body is read: why the store would refuse it now; may be nil
	Throttle  *auth.Throttle   // of wrong keys
	Proxies   clientip.Proxies // that tell whom they forward for

	Observe func(web.Observation) // told of each request, for metrics; may be nil
	Count   func(Count)           // told what became of the records of each request, for metrics; may be nil
}

// Count says what became of the records of one request.
type Count struct {
	Source   string // record.Source.ID
	Project  string
	Stored   store.Result
	Rejected []record.Rejection
}

// answer is what a 200 says.
type answer struct {
	Accepted   int                `json:"accepted"`
	Duplicates int                `json:"duplicates"`
	Rejected   []record.Rejection `json:"rejected"`
}

// New returns the handler of one ingest function. It answers POST on path, and on "/", which is where a
// function URL of its own is called.
func New(path string, source record.Source, cfg Config) http.Handler {
	h := handler{Config: cfg, source: source}
	return web.New(web.Config{Log: cfg.Log, Observe: cfg.Observe}, web.Routes{
		"POST " + path: h.serve,
		"POST /":       h.serve,
	})
}

type handler struct {
	Config
	source record.Source
}

func (h *handler) serve(w *web.Response, r *http.Request) error {
	client := clientip.Of(r, h.Proxies)
	if len(h.Proxies) > 0 {
		w.Log(slog.String("client", client.String()))
	}
	project, err := h.Keys.Project(r)
	if err != nil {
		return h.stranger(client, err)
	}
	w.Log(slog.String("project", project))
	format, err := formatOf(r)
	if err != nil {
		return err
	}
	if h.Admit != nil {
		if err := h.Admit(); err != nil {
			return unavailable(err)
		}
	}
	held := share{of: &h.Bodies.budget}
	w.After(held.giveAll)
	received, err := h.receive(w, r, record.Decoder{
		Source:    h.source,
		Project:   project,
		Retention: h.Retention,
		Now:       h.Now(),
	}, format, &held)
	if err != nil {
		return err
	}
	return w.JSON(http.StatusOK, received)
}

// receive reads, decodes and stores the records of a request. What it leaves in the share is the answer's.
func (h *handler) receive(w *web.Response, r *http.Request, d record.Decoder, format record.Format, held *share) (_ answer, err error) {
	var answerBytes int64
	defer func() { held.give(held.n - answerBytes) }()
	if err := held.take(perRequest); err != nil {
		return answer{}, err
	}
	body, err := h.Bodies.read(w, r, held)
	if err != nil {
		return answer{}, err
	}
	batch, err := d.Decode(body, format)
	if err != nil {
		h.logRefusal(w, r, err)
		return answer{}, refusal(err, d.Project)
	}
	h.logRejected(w, r, batch.Rejected)
	if err := held.take(sizeOf(batch.Rejected)); err != nil {
		return answer{}, err
	}
	answerBytes = sizeOf(batch.Rejected)
	var result store.Result
	if len(batch.Records) > 0 {
		// A client that hangs up does not take back what it sent.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), web.TimeLeft(r.Context(), storeTimeout))
		defer cancel()
		if result, err = h.Store.Insert(ctx, batch.Records); err != nil {
			answerBytes = 0
			return answer{}, unavailable(err)
		}
	}
	if h.Count != nil {
		h.Count(Count{d.Source.ID, d.Project, result, batch.Rejected})
	}
	w.Log(slog.Int("accepted", result.Accepted), slog.Int("duplicates", result.Duplicates), slog.Int("rejected", len(batch.Rejected)))
	if len(batch.Records) == 0 && len(batch.Rejected) > 0 {
		return answer{}, invalid(batch)
	}
	if batch.Rejected == nil {
		batch.Rejected = []record.Rejection{} // [] and not null
	}
	return answer{result.Accepted, result.Duplicates, batch.Rejected}, nil
}

// stranger answers a request without a key that the listener has. An address from which many came is told to
// wait, before it can try more; a good key is never asked to, for others may be behind the same address.
func (h *handler) stranger(client netip.Addr, why error) error {
	if wait := h.Throttle.Fail(clientip.Network(client)); wait > 0 {
		return &web.Error{
			Status: http.StatusTooManyRequests,
			Text:   "Too many requests without a valid API key from this address; set the right key, and wait",
			Header: http.Header{"Retry-After": {web.RetryAfter(wait)}},
			Cause:  fmt.Errorf("%w, from %s", why, client),
		}
	}
	text := why.Error()
	return &web.Error{
		Status: http.StatusUnauthorized,
		Text:   strings.ToUpper(text[:1]) + text[1:],
		Header: http.Header{"Www-Authenticate": {"Bearer"}},
	}
}

// sizeOf estimates the bytes that an answer takes that lists rejected records, encoded too: a few bytes of each
// bad record can make many of them.
func sizeOf(rejected []record.Rejection) (n int64) {
	const beside = 64 // what a detail and its JSON have beside their texts
	for i := range rejected {
		n += beside
		for _, d := range rejected[i].Details {
			n += beside + 3*int64(len(d.Path)+len(d.Message))
		}
	}
	return n
}

// refusal answers a body that cannot be read as a whole, or that is for another project.
func refusal(err error, project string) error {
	if syntax, ok := errors.AsType[*record.SyntaxError](err); ok {
		return &web.Error{
			Status: http.StatusBadRequest,
			Text:   "Invalid JSON",
			Fields: map[string]any{"offset": syntax.Offset, "message": syntax.Message},
			Cause:  err,
		}
	}
	if foreign, ok := errors.AsType[*record.ProjectError](err); ok {
		return &web.Error{
			Status: http.StatusForbidden,
			Text:   fmt.Sprintf("The key is for project %s, and record %d names another; nothing was stored", project, foreign.Index),
			Cause:  err,
		}
	}
	if errors.Is(err, record.ErrTooManyRecords) {
		return tooLarge("The body holds more than %d records; send fewer at a time", record.MaxRecords)
	}
	return err
}

// invalid answers a body of which no record is valid.
func invalid(batch record.Batch) error {
	fields := map[string]any{"rejected": batch.Rejected}
	if batch.Single {
		fields = map[string]any{"details": batch.Rejected[0].Details}
	}
	return &web.Error{Status: http.StatusBadRequest, Text: "Validation failed", Fields: fields}
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
