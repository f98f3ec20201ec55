package buggregator

import (
	"errors"
	"net/http"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/web"
	"github.com/bitville/listener/shared/wire/xhprof"
)

// Name is the source of the records.
func (Wire) Name() string { return record.PHP.ID }

// Limits leaves the bytes sent to the settings.
func (Wire) Limits() (sent, opened int64) { return 0, record.MaxBody }

// Keys says that the client has its key as user info in the URL, which it sends as Basic, or in the path; some set a bearer.
func (Wire) Keys() auth.Places { return auth.Places{Basic: true, Path: true} }

// Accepts takes any type: the client has no other.
func (Wire) Accepts(string) error { return nil }

// Stored answers that the profile is stored, or what is wrong with it.
func (Wire) Stored(w *web.Response, _ *http.Request, batch record.Batch, _ store.Result) error {
	if len(batch.Rejected) > 0 {
		return &web.Error{Status: http.StatusBadRequest, Text: "Not stored: " + xhprof.Summary(batch.Rejected[0].Details)}
	}
	return w.JSON(http.StatusOK, map[string]bool{"status": true})
}

// Refused answers with the listener's own errors, which the client throws at its user: so a wrong key, and a body that cannot
// be stored, are seen while the client is set up. What may pass is no reason to break a page: the profile is dropped with
// a 202, which promises nothing. A wrong key is a 401 also when there were too many.
func (Wire) Refused(_ *web.Response, _ *http.Request, err error) error {
	if e, ok := errors.AsType[*bodyError](err); ok {
		return &web.Error{Status: http.StatusBadRequest, Text: "The body " + e.message, Cause: err}
	}
	e, ok := errors.AsType[*web.Error](err)
	if !ok {
		return err
	}
	answer := *e
	switch e.Status {
	case http.StatusTooManyRequests:
		answer.Status, answer.Header = http.StatusUnauthorized, http.Header{"Www-Authenticate": {"Bearer"}}
	case http.StatusServiceUnavailable:
		answer.Status, answer.Header = http.StatusAccepted, nil
		answer.Answer = &web.Answer{ContentType: "application/json", Data: []byte(`{"status":false}`)}
	}
	return &answer
}
