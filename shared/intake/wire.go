package intake

import (
	"net/http"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/web"
)

// Wire is how one kind of client sends records and reads answers: one value for each format. The intake does the rest.
//
// A wire's errors, and those that it is given, are answered by package web: a *web.Error as it stands, which is the
// listener's own JSON, any other as a 500.
type Wire interface {
	// Name is the source that a record is counted under which is rejected or dropped and has none of its own.
	Name() string

	// Limits returns the most bytes of one body, as it is sent and decompressed. sent is 0 when the settings decide.
	Limits() (sent, opened int64)

	// Keys tells where this kind of client may put its key. When that is the path, the route has a second one, KeyInPath's.
	Keys() auth.Places

	// Accepts returns nil when bodies of a content type can be read: a media type in lower case without its parameters,
	// "" when the request names none, several with commas between when it has several. Its error is the answer, a 415.
	Accepts(contentType string) error

	// Decode cuts a body into records and holds each against the rules. A valid record is sealed. An error says that the
	// body is refused whole; Refused has an answer for it. It may have a method Attrs, for its line in the log. room must be
	// asked before memory of so many bytes is taken beside the body's, which stays until the records are stored; its
	// error is the intake's, to be returned as it is.
	Decode(body []byte, contentType string, rules record.Rules, room func(bytes int64) error) (record.Batch, error)

	// Stored answers a body that was read, when its valid records are committed: all of them valid, some or none.
	Stored(w *web.Response, r *http.Request, batch record.Batch, result store.Result) error

	// Refused answers a request of which nothing is known to be stored. err is Accepts'; Decode's; or a *web.Error of the
	// intake: 401 for the key, or 429 after too many, 403 for a key that is for other routes, 400 for a body that is
	// damaged, 413 for one that is too large or for which there never is memory, 415 for its encoding, 503 for the store, for a
	// body that came too slowly and for want of memory, 499 for a client that has gone. It returns the error that is answered,
	// with web.Error's Answer for a body of the wire's own and Close for none at all. A 202 says that the record is dropped,
	// and is counted so.
	Refused(w *web.Response, r *http.Request, err error) error
}
