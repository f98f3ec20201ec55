package libsql

import (
	"context"
	"errors"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/bitville/listener/shared/store"
)

const (
	badToken  = "the database refuses the listener's token: set BITVILLE_DB_AUTH_TOKEN to one that is valid for it"
	readToken = "the token in BITVILLE_DB_AUTH_TOKEN may not write: set one that may"
	notLibSQL = "what answers at BITVILLE_DB_URL does not answer as a libSQL server does"
	cut       = "the connection to the database was cut"
	otherTLS  = "the TLS handshake with the database failed: look at BITVILLE_DB_URL and at what listens there"
	late      = "the database did not answer in time"
	gateway   = "the database is away: what answers at BITVILLE_DB_URL cannot reach it, or it starts"
	otherHost = "the database cannot be reached: there is no way to the host of BITVILLE_DB_URL"
)

// causes sorts the driver's errors by their texts, because the driver drops error codes. The first row whose text an error
// contains counts. again says that another try within the request may succeed.
var causes = []struct {
	text   string // in lower case
	reason string
	again  bool
	after  time.Duration
}{
	// These stand before the statuses that come with them.
	{"operation was blocked", "the database's plan is used up, and blocks the listener", false, time.Minute}, // Turso, above a quota
	{"are blocked", "the database's plan is used up, and blocks the listener", false, time.Minute},
	{"blocked:", "the database's plan is used up, and blocks the listener", false, time.Minute},
	{"token has expired", "the token in BITVILLE_DB_AUTH_TOKEN has expired: set a new one", false, time.Minute},
	{"jwt has expired", "the token in BITVILLE_DB_AUTH_TOKEN has expired: set a new one", false, time.Minute},
	{"not authorized", readToken, false, time.Minute},
	{"write permission", readToken, false, time.Minute},
	{"authorization forbidden", readToken, false, time.Minute},
	{"to an https server", "the database's server asks for TLS: BITVILLE_DB_URL must begin with https:// or libsql://", false, time.Minute},
	{"sent to https port", "the database's server asks for TLS: BITVILLE_DB_URL must begin with https:// or libsql://", false, time.Minute},

	{"error code 401", badToken, false, time.Minute},
	{"error code 402", "the database's server asks for payment, and blocks the listener: look at its plan", false, time.Minute},
	{"error code 403", badToken, false, time.Minute},
	{"error code 404", "there is no database at BITVILLE_DB_URL: its address ends where the server's does, or at its name", false, time.Minute},
	{"error code 405", notLibSQL, false, time.Minute},
	{"error code 408", late, true, 5 * time.Second},
	{"error code 413", "the database refuses so large a record", false, time.Minute},
	{"error code 421", "the server at BITVILLE_DB_URL does not serve that host: set the name that its provider gave", false, time.Minute},
	{"error code 429", "the database has too much to do", false, 5 * time.Second},
	{"error code 502", gateway, true, 5 * time.Second},
	{"error code 503", gateway, true, 5 * time.Second},
	{"error code 504", late, true, 5 * time.Second},
	{"error code 5", "the database failed", true, 5 * time.Second},

	{"authenticat", badToken, false, time.Minute},
	{"unauthorized", badToken, false, time.Minute},
	{"too many requests", "the database has too much to do", false, 5 * time.Second},
	{"string or blob too big", "the database refuses so large a record", false, time.Minute},
	{"database or disk is full", "the database is full", false, 30 * time.Second},
	{"no space left", "the database is full", false, 30 * time.Second},
	{"readonly", "the database is read-only", false, 30 * time.Second},
	{"read-only", "the database is read-only", false, 30 * time.Second},
	{"database is locked", "the database is locked", true, time.Second},
	{"busy", "the database is locked", true, time.Second},
	{"has no column named", "the table profiling_data in the database is of another version: run that version of the listener, or another database", false, time.Minute},
	{"no such column", "the table profiling_data in the database is of another version: run that version of the listener, or another database", false, time.Minute},
	{"constraint failed", "the table profiling_data in the database is of another version: run that version of the listener, or another database", false, time.Minute},

	{errRedirect.Error(), "the database's server redirects: set BITVILLE_DB_URL to where it is", false, time.Minute},
	{"connection refused", "the database cannot be reached: nothing listens at BITVILLE_DB_URL", true, time.Second},
	{"no such host", "the database cannot be reached: nobody knows the host of BITVILLE_DB_URL", false, 5 * time.Second},
	{"lookup ", "the database cannot be reached: the host of BITVILLE_DB_URL cannot be looked up", true, 5 * time.Second},
	{"no route to host", otherHost, false, 5 * time.Second},
	{"unreachable", otherHost, false, 5 * time.Second},
	{"http response to https client", "the database's server speaks no TLS: BITVILLE_DB_URL must begin with http://", false, time.Minute},
	{"first record does not look like a tls handshake", otherTLS, false, time.Minute},
	{"unknown authority", "the database's certificate is not trusted: its authority is unknown here (SSL_CERT_FILE names another)", false, time.Minute},
	{"certificate has expired or is not yet valid", "the database's certificate is not trusted: it has expired, or this machine's clock is wrong", false, time.Minute},
	{"certificate is valid for", "the database's certificate is not trusted: it is for another name than BITVILLE_DB_URL has", false, time.Minute},
	{"certificate", "the database's certificate is not trusted", false, time.Minute},
	{"tls: ", otherTLS, false, time.Minute},
	{"malformed http", notLibSQL, true, 5 * time.Second},
	{"its answer lacks", notLibSQL, true, 5 * time.Second},
	{"invalid character", notLibSQL, true, 5 * time.Second}, // a page, as a gateway may send it for a moment
	{"cannot unmarshal", notLibSQL, true, 5 * time.Second},
	{"connection reset", cut, true, time.Second},
	{"broken pipe", cut, true, time.Second},
	{"eof", cut, true, time.Second},
	{"end of json input", cut, true, time.Second},
	{"stream", cut, true, time.Second}, // STREAM_EXPIRED, stream is closed
}

// explain turns an error of the driver into a *store.Unavailable, and tells whether another try within the request may succeed.
// An error that is in no row of the table is not tried again here; the agent sends again.
func (db *DB) explain(ctx context.Context, err error) (u *store.Unavailable, again bool) {
	cause := &told{db.tell(err), err}
	timeout, ok := errors.AsType[net.Error](err)
	if errors.Is(err, context.DeadlineExceeded) || ok && timeout.Timeout() {
		return &store.Unavailable{Reason: late, RetryAfter: 5 * time.Second, Err: cause}, ctx.Err() == nil
	}
	text := strings.ToLower(cause.text)
	for _, c := range causes {
		if strings.Contains(text, c.text) {
			return &store.Unavailable{Reason: c.reason, RetryAfter: c.after, Err: cause}, c.again
		}
	}
	return &store.Unavailable{Reason: "the database failed", RetryAfter: 5 * time.Second, Err: cause}, false
}

// told is an error whose text may be logged.
type told struct {
	text string
	err  error
}

func (e *told) Error() string { return e.text }
func (e *told) Unwrap() error { return e.err }

const maxTold = 300 // bytes of an error's text; the server may have answered with a whole page

// userInfo and urlQuery match the parts of a URL that may hold a secret. A server may redirect to such a URL.
var (
	userInfo = regexp.MustCompile(`://[^\s"/]*@`)
	urlQuery = regexp.MustCompile(`(://[^\s"?]*)\?[^\s"]*`)
)

// tell returns an error's text in one line. It takes out the statement, which the driver puts in front, and the token, which
// the server may have sent back.
func (db *DB) tell(err error) string {
	text := err.Error()
	const before = "failed to execute SQL:"
	for inner := err; inner != nil && strings.HasPrefix(text, before); inner = errors.Unwrap(inner) {
		text = inner.Error()
	}
	if strings.HasPrefix(text, before) {
		text = text[strings.LastIndexByte(text, '\n')+1:]
	}
	if db.token != "" {
		text = strings.ReplaceAll(text, string(db.token), "[redacted]")
	}
	text = userInfo.ReplaceAllString(text, "://…@")
	text = urlQuery.ReplaceAllString(text, "$1?…")
	if strings.HasPrefix(text, "driver panic") {
		text = "its answer lacks what was asked for"
	}
	text = strings.TrimSuffix(strings.Join(strings.Fields(text), " "), ":")
	if len(text) > maxTold {
		text = strings.ToValidUTF8(text[:maxTold], "") + "…"
	}
	return text
}

var errRedirect = errors.New("a redirect is not followed")

// The driver uses http.DefaultClient and takes no other. After a redirect that client turns a POST into a GET, whose answer
// says nothing of the cause. Requests of other users of the client stay as they are.
func init() {
	http.DefaultClient.CheckRedirect = func(r *http.Request, via []*http.Request) error {
		if strings.HasSuffix(via[0].URL.Path, "/v2/pipeline") {
			return errRedirect
		}
		if len(via) >= 10 { // net/http's own limit
			return errors.New("stopped after 10 redirects")
		}
		return nil
	}
}

// missingTable tells whether the database is empty. Servers say so with "Parse error: …" or "SQLite error: …".
func missingTable(err error) bool {
	return strings.Contains(err.Error(), "no such table: profiling_data")
}
