package intake

import (
	"net/http"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/web"
)

// Wire is how one kind of client sends records and reads answers: one value for each format. The intake does the rest.
//
// A wire's errors, and those that it is given, are answered by package web: a *web.Error as it stands, which is the
// listener's own JSON, any other as a 500.
type Wire interface {
	// Name is what records are counted under.
	Name() string

	// Limits returns the most bytes of one body, as it is sent and decompressed. sent is 0 when the settings decide.
	Limits() (sent, opened int64)

	// Key returns the request's API key, wherever this kind of client puts it. Its error tells the client where.
	Key(r *http.Request) (string, error)

	// Accepts returns nil when bodies of a content type can be read: a media type in lower case without its parameters,
	// "" when the request names none, several with commas between when it has several. Its error is the answer, a 415.
	Accepts(contentType string) error

	// Decode cuts a body into records and holds each against the rules. A valid record is sealed. An error says that the
	// body is refused whole; Refused has an answer for it. It may have a method Attrs, for its line in the log.
	Decode(body []byte, contentType string, rules record.Rules) (record.Batch, error)

	// Stored answers a body that was read, when its valid records are committed: all of them valid, some or none.
	Stored(w *web.Response, r *http.Request, batch record.Batch, result store.Result) error

	// Refused answers a request of which nothing is known to be stored. err is Key's, as a *web.Error with 401, or 429 after
	// too many; Accepts'; Decode's; or a *web.Error of the intake: 400 for a body that is damaged, 413, 415 for its
	// encoding, 503 for the store, for a body that came too slowly and for want of memory, 499 for a client that has gone.
	// It writes its answer, or returns the error that is answered.
	Refused(w *web.Response, r *http.Request, err error) error
}
