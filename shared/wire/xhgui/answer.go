package xhgui

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/web"
	"github.com/bitville/listener/shared/wire/xhprof"
)

const ndjson = "application/x-ndjson"

// Name is the source of the records.
func (Wire) Name() string { return record.PHP.ID }

// Limits leaves the bytes sent to the settings.
func (Wire) Limits() (sent, opened int64) { return 0, record.MaxBody }

// Keys says that the client has its key in the URL: as the token that it appends to the query, as user info, which it sends as
// Basic, or in the path.
func (Wire) Keys() auth.Places { return auth.Places{Basic: true, Query: "token", Path: true} }

// Accepts takes any type, as XHGui does.
func (Wire) Accepts(string) error { return nil }

// Stored answers what the client takes for success only when every profile is stored: it looks at no status, and forgets the
// profile when the answer is JSON without an error.
func (Wire) Stored(w *web.Response, _ *http.Request, batch record.Batch, result store.Result) error {
	switch {
	case len(batch.Rejected) == 0 && batch.Single:
		rec := batch.Records[0]
		return w.JSON(http.StatusOK, struct {
			OK   bool   `json:"ok"`
			ID   string `json:"id"`
			Size int    `json:"size"` // bytes of the profile
		}{true, rec.CorrelationID, len(rec.Payload)})
	case len(batch.Rejected) == 0:
		return w.JSON(http.StatusOK, struct {
			OK         bool `json:"ok"`
			Accepted   int  `json:"accepted"`
			Duplicates int  `json:"duplicates"`
		}{true, result.Accepted, result.Duplicates})
	case batch.Single:
		return refused(&web.Error{Status: http.StatusBadRequest, Text: "Not stored: " + xhprof.Summary(batch.Rejected[0].Details)}, nil)
	}
	first := batch.Rejected[0]
	return refused(&web.Error{
		Status: http.StatusBadRequest,
		Text:   fmt.Sprintf("%d of %d profiles were not stored; the first is no. %d, counted from 0: %s", len(batch.Rejected), len(batch.Rejected)+len(batch.Records), first.Index, xhprof.Summary(first.Details)),
	}, map[string]any{"accepted": result.Accepted, "duplicates": result.Duplicates, "rejected": batch.Rejected})
}

// Refused answers with an error that the client knows as one. It prints the message.
func (Wire) Refused(_ *web.Response, _ *http.Request, err error) error {
	answer := &web.Error{Status: http.StatusBadRequest, Cause: err}
	switch e := err.(type) {
	case *web.Error:
		copied := *e
		answer = &copied
	case *bodyError:
		answer.Text = "The body " + e.message
	default:
		if !errors.Is(err, errTooManyRecords) {
			return err
		}
		answer.Status = http.StatusRequestEntityTooLarge
		answer.Text = fmt.Sprintf("The body holds more than %d profiles; send fewer at a time", record.MaxRecords)
	}
	return refused(answer, nil)
}

// refused gives an error the client's form, with more fields.
func refused(e *web.Error, fields map[string]any) error {
	body := map[string]any{"error": true, "message": e.Text}
	for name, value := range fields {
		body[name] = value
	}
	data, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	e.Answer = &web.Answer{ContentType: "application/json", Data: data}
	return e
}
