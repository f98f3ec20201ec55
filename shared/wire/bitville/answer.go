package bitville

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/web"
)

// Name is the source's id.
func (w Wire) Name() string { return w.Source.ID }

// Limits leaves the bytes sent to the settings.
func (w Wire) Limits() (sent, opened int64) { return 0, record.MaxBody }

// Key takes the key as a bearer token alone.
func (w Wire) Key(r *http.Request) (string, error) { return auth.Bearer(r) }

// Accepts takes JSON and NDJSON. No type at all is JSON, and so is a type that ends in +json, whatever stands before it
// (RFC 6839, section 3.1).
func (w Wire) Accepts(contentType string) error {
	isOther := strings.HasPrefix(contentType, "application/") && strings.HasSuffix(contentType, "+json") && !strings.Contains(contentType, ",")
	if contentType == "" || contentType == JSON || contentType == NDJSON || isOther {
		return nil
	}
	return &web.Error{
		Status: http.StatusUnsupportedMediaType,
		Text:   "Unsupported Content-Type: send application/json (an object or an array) or application/x-ndjson (an object a line)",
		Header: http.Header{"Accept": {"application/json, application/x-ndjson"}},
	}
}

// stored is what a 200 says.
type stored struct {
	Accepted   int                `json:"accepted"`
	Duplicates int                `json:"duplicates"`
	Rejected   []record.Rejection `json:"rejected"`
}

// Stored answers 200, or 400 when no record of the body is valid.
func (w Wire) Stored(to *web.Response, _ *http.Request, batch record.Batch, result store.Result) error {
	if len(batch.Records) == 0 && len(batch.Rejected) > 0 {
		fields := map[string]any{"rejected": batch.Rejected}
		if batch.Single {
			fields = map[string]any{"details": batch.Rejected[0].Details}
		}
		return &web.Error{Status: http.StatusBadRequest, Text: "Validation failed", Fields: fields}
	}
	if batch.Rejected == nil {
		batch.Rejected = []record.Rejection{} // [] and not null
	}
	return to.JSON(http.StatusOK, stored{result.Accepted, result.Duplicates, batch.Rejected})
}

// Refused answers with the listener's own errors.
func (w Wire) Refused(_ *web.Response, _ *http.Request, err error) error {
	answer := &web.Error{Cause: err}
	switch e := err.(type) {
	case *SyntaxError:
		answer.Status, answer.Text = http.StatusBadRequest, "Invalid JSON"
		answer.Fields = map[string]any{"offset": e.Offset, "message": e.Message}
	case *ProjectError:
		answer.Status = http.StatusForbidden
		answer.Text = fmt.Sprintf("The key is for project %s, and record %d names another; nothing was stored", e.Project, e.Index)
	default:
		if err != ErrTooManyRecords {
			return err
		}
		answer.Status = http.StatusRequestEntityTooLarge
		answer.Text = fmt.Sprintf("The body holds more than %d records; send fewer at a time", record.MaxRecords)
	}
	return answer
}
