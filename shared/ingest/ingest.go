// Package ingest is the handler that the ingest functions share: it authenticates a request, reads and
// decodes its body, stores the valid records and says what became of each. What makes one function
// different from another is its path and its record.Source.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/bitville/listener/shared/api"
	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
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
	Keys         *auth.Keys
	Store        Store
	Log          *slog.Logger
	Now          func() time.Time
	Retention    time.Duration // older records are refused
	MaxBodyBytes int64         // of a body on the wire

	Observe func(api.Observation) // told of each request, for metrics; may be nil
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
	h := handler{Config: cfg, source: source, bodies: newBodies(cfg.MaxBodyBytes)}
	return api.New(api.Config{Log: cfg.Log, Observe: cfg.Observe}, api.Routes{
		"POST " + path: h.serve,
		"POST /":       h.serve,
	})
}

type handler struct {
	Config
	source record.Source
	bodies *bodies
}

func (h *handler) serve(w *api.Response, r *http.Request) error {
	project, err := h.Keys.Project(r)
	if err != nil {
		return &api.Error{Status: http.StatusUnauthorized, Text: strings.ToUpper(err.Error()[:1]) + err.Error()[1:], Header: http.Header{"Www-Authenticate": {"Bearer"}}}
	}
	w.Log(slog.String("project", project))
	format, err := formatOf(r)
	if err != nil {
		return err
	}
	body, err := h.bodies.read(r)
	if err != nil {
		return err
	}
	batch, err := record.Decoder{
		Source:    h.source,
		Project:   project,
		Retention: h.Retention,
		Now:       h.Now(),
	}.Decode(body, format)
	if err != nil {
		return refusal(err, project)
	}
	var result store.Result
	if len(batch.Records) > 0 {
		// A client that hangs up does not take back what it sent.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), api.TimeLeft(r.Context(), storeTimeout))
		defer cancel()
		if result, err = h.Store.Insert(ctx, batch.Records); err != nil {
			return unavailable(err)
		}
	}
	if h.Count != nil {
		h.Count(Count{h.source.ID, project, result, batch.Rejected})
	}
	w.Log(slog.Int("accepted", result.Accepted), slog.Int("duplicates", result.Duplicates), slog.Int("rejected", len(batch.Rejected)))
	if len(batch.Records) == 0 && len(batch.Rejected) > 0 {
		return invalid(batch)
	}
	if batch.Rejected == nil {
		batch.Rejected = []record.Rejection{} // [] and not null
	}
	return w.JSON(http.StatusOK, answer{result.Accepted, result.Duplicates, batch.Rejected})
}

// refusal answers a body that cannot be read as a whole, or that is for another project.
func refusal(err error, project string) error {
	if syntax, ok := errors.AsType[*record.SyntaxError](err); ok {
		return &api.Error{Status: http.StatusBadRequest, Text: "Invalid JSON", Fields: map[string]any{"offset": syntax.Offset}}
	}
	if foreign, ok := errors.AsType[*record.ProjectError](err); ok {
		return &api.Error{
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
	return &api.Error{Status: http.StatusBadRequest, Text: "Validation failed", Fields: fields}
}

func unavailable(err error) error {
	reason, after := "the store failed", 5*time.Second
	if u, ok := errors.AsType[*store.Unavailable](err); ok {
		reason, after = u.Reason, u.RetryAfter
	}
	return &api.Error{
		Status: http.StatusServiceUnavailable,
		Text:   "Not stored: " + reason + "; send the same body again later",
		Header: http.Header{"Retry-After": {api.RetryAfter(after)}},
		Cause:  err,
	}
}
