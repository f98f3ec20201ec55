package otlp

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/intake"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/web"
)

// Wire is an intake.Wire.
type Wire struct{ Privacy }

// Name is of the spans that no record came of.
func (w Wire) Name() string { return "otlp" }

// Limits are the largest, for no client splits what was refused: pg_tracing has sent 6.9 MB.
func (w Wire) Limits() (sent, opened int64) { return intake.MaxSent, intake.MaxOpened }

// Keys takes what pg_tracing can send too, which has a URL alone.
func (w Wire) Keys() auth.Places { return auth.Places{Basic: true, Path: true} }

const (
	typeJSON     = "application/json"
	typeProtobuf = "application/x-protobuf"
)

func isProtobuf(contentType string) bool {
	return contentType == typeProtobuf || contentType == "application/protobuf"
}

// Accepts takes both of OTLP's types. No type at all is JSON.
func (w Wire) Accepts(contentType string) error {
	if contentType == "" || contentType == typeJSON || isProtobuf(contentType) {
		return nil
	}
	return &web.Error{
		Status: http.StatusUnsupportedMediaType,
		Text:   "Unsupported Content-Type: send application/json or application/x-protobuf",
		Header: http.Header{"Accept": {typeJSON + ", " + typeProtobuf}},
	}
}

// isPgTracing tells a request of pg_tracing, the one client that names itself in no header. It takes any answer for success, and
// writes the answer's body to Postgres's log.
func isPgTracing(r *http.Request) bool { return r.Header.Get("User-Agent") == "" }

// Stored answers 200 in the request's own format, or OpenTelemetry for PHP logs an error on each page. Spans of which no record is
// made are not rejected.
func (w Wire) Stored(to *web.Response, r *http.Request, batch record.Batch, _ store.Result) error {
	contentType, answer := typeJSON, []byte("{}")
	if isProtobuf(intake.ContentType(r)) {
		contentType, answer = typeProtobuf, nil
	}
	if n := len(batch.Rejected); n > 0 {
		answer = partialSuccess(contentType, n, batch.Rejected[0])
	}
	if isPgTracing(r) {
		answer = nil
	}
	to.Data(http.StatusOK, contentType, answer)
	return nil
}

// partialSuccess is an ExportTraceServiceResponse that says how many spans were broken, and what was wrong with the first.
func partialSuccess(contentType string, n int, first record.Rejection) []byte {
	message := fmt.Sprintf("span %d, counted from 0: ", first.Index)
	if path := first.Details[0].Path; path != "" {
		message += path + " "
	}
	message += first.Details[0].Message
	if contentType == typeJSON {
		answer := appendString([]byte(`{"partialSuccess":{"rejectedSpans":"`+strconv.Itoa(n)+`","errorMessage":`), []byte(message))
		return append(answer, "}}"...)
	}
	partial := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), uint64(n))
	partial = protowire.AppendString(protowire.AppendTag(partial, 2, protowire.BytesType), message)
	return protowire.AppendBytes(protowire.AppendTag(nil, 1, protowire.BytesType), partial)
}

// Refused answers with the listener's own errors, without Retry-After: OpenTelemetry for PHP would sleep it in the page's process,
// and each client has a pause of its own. pg_tracing gets no body, and for what could be stored later no answer: it sends the body
// again then alone.
func (w Wire) Refused(_ *web.Response, r *http.Request, err error) error {
	answer := web.Error{Status: http.StatusBadRequest, Text: "Invalid OTLP: the body is no ExportTraceServiceRequest in the format that Content-Type names", Cause: err}
	if err != ErrMalformed {
		known, ok := errors.AsType[*web.Error](err)
		if !ok {
			return err
		}
		answer = *known
	}
	answer.Header = answer.Header.Clone()
	answer.Header.Del("Retry-After")
	if isPgTracing(r) {
		answer.Answer = &web.Answer{}
		answer.Close = answer.Status == http.StatusServiceUnavailable
	}
	return &answer
}
