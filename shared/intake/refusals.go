package intake

import (
	"errors"
	"net/http"
	"slices"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/refusals"
	"github.com/bitville/listener/shared/web"
)

// statusGone is of a client that hung up: it is no refusal.
const statusGone = 499

// noteRefusal counts a request that was refused. err is why, answer what the wire made of it.
func (h *handler) noteRefusal(project string, err, answer error) {
	message, status := err.Error(), http.StatusBadRequest
	answered, _ := errors.AsType[*web.Error](answer)
	switch cause, ok := errors.AsType[*web.Error](err); {
	case answered != nil && answered.Status == http.StatusAccepted:
		status = answered.Status
	case ok:
		message, status = cause.Text, cause.Status
	case answered != nil:
		message, status = answered.Text, answered.Status
	}
	if status == statusGone {
		return
	}
	h.Refusals.Note(refusals.Refusal{Project: project, Route: h.path, Reason: refusals.Reason(status), Count: 1, Message: message})
}

// noteRejected counts the rejected records of a body by the field that is wrong first.
func (h *handler) noteRejected(project string, rejected []record.Rejection) {
	counts := make(map[string]int64)
	messages := make(map[string]string)
	for _, r := range rejected {
		field := r.Details[0].Path
		if !slices.Contains(contractFields, field) { // others are named by whoever sends them
			field = "other"
		}
		counts[field]++
		messages[field] = r.Details[0].Message
	}
	for field, n := range counts {
		h.Refusals.Note(refusals.Refusal{Project: project, Route: h.path, Reason: refusals.Rejected, Field: field, Count: n, Message: messages[field]})
	}
}

// contractFields are the fields that a record must or may have by name.
var contractFields = []string{"project", "correlation_id", "timestamp", "duration_ms", record.PHP.NameField, record.Postgres.NameField, "profiling_data"}
