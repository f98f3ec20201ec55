package libsql

import (
	"context"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/bitville/listener/shared/store"
)

// causes sorts what the driver says: it loses error codes, so that only texts are left. The first that an
// error's text holds is taken. again tells that another try may do better within a request.
var causes = []struct {
	text   string
	reason string
	again  bool
	after  time.Duration
}{
	{"error code 401", "the database refuses the listener's token", false, time.Minute},
	{"error code 403", "the database refuses the listener's token", false, time.Minute},
	{"authenticat", "the database refuses the listener's token", false, time.Minute},
	{"unauthorized", "the database refuses the listener's token", false, time.Minute},
	{"error code 404", "there is no database at the configured URL", false, time.Minute},
	{"error code 413", "the database refuses so large a record", false, time.Minute},
	{"error code 429", "the database has too much to do", false, 5 * time.Second},
	{"too many requests", "the database has too much to do", false, 5 * time.Second},
	{"blocked", "the database's plan does not let it write", false, time.Minute}, // Turso, above a quota
	{"string or blob too big", "the database refuses so large a record", false, time.Minute},
	{"database or disk is full", "the database is full", false, 30 * time.Second},
	{"readonly", "the database is read-only", false, 30 * time.Second},
	{"read-only", "the database is read-only", false, 30 * time.Second},
	{"database is locked", "the database is locked", true, time.Second},
	{"busy", "the database is locked", true, time.Second},
	{"connection refused", "the database cannot be reached", true, time.Second},
	{"no such host", "the database cannot be reached", false, 5 * time.Second},
	{"certificate", "the database's certificate is not trusted", false, time.Minute},
	{"connection reset", "the connection to the database was cut", true, time.Second},
	{"broken pipe", "the connection to the database was cut", true, time.Second},
	{"EOF", "the connection to the database was cut", true, time.Second},
	{"end of JSON input", "the connection to the database was cut", true, time.Second},
	{"stream", "the connection to the database was cut", true, time.Second}, // STREAM_EXPIRED, stream is closed
	{"error code 5", "the database failed", true, 5 * time.Second},
	{"driver panic", "the database gave an answer that makes no sense", true, 5 * time.Second},
	{"invalid character", "the database gave an answer that makes no sense", true, 5 * time.Second},
}

// explain makes an error of the driver a *store.Unavailable, and tells whether another try within the
// request may do better. What no row of the table knows is not tried again here; the agent will.
func explain(ctx context.Context, err error) (u *store.Unavailable, again bool) {
	timeout, ok := errors.AsType[net.Error](err)
	if errors.Is(err, context.DeadlineExceeded) || ok && timeout.Timeout() {
		return &store.Unavailable{Reason: "the database did not answer in time", RetryAfter: 5 * time.Second, Err: err}, ctx.Err() == nil
	}
	text := strings.ToLower(err.Error())
	for _, c := range causes {
		if strings.Contains(text, strings.ToLower(c.text)) {
			return &store.Unavailable{Reason: c.reason, RetryAfter: c.after, Err: err}, c.again
		}
	}
	return &store.Unavailable{Reason: "the database failed", RetryAfter: 5 * time.Second, Err: err}, false
}

// missingTable tells an empty database. Both "Parse error: …" and "SQLite error: …" say it.
func missingTable(err error) bool {
	return strings.Contains(err.Error(), "no such table: profiling_data")
}
