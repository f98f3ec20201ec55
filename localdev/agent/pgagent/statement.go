package pgagent

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/bitville/listener/localdev/agent/tail"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/statement"
)

// kind is what an entry of the log says of a statement.
type kind int

const (
	none    kind = iota
	planned      // auto_explain's: it ran, and this is its plan
	timed        // log_min_duration_statement's: it ran
	failed       // an ERROR
)

// executed is one statement that the log tells of.
type executed struct {
	tail.Item
	kind   kind
	took   string // duration as it was logged, milliseconds; "" of what failed
	micros int64  // the same in microseconds
	text   string // the statement's, without the comment that had the id
	cut    bool   // text is not whole
	plan   plan
	nested bool

	extended bool // the extended protocol ran it: its plan may be logged after its duration

	caller   *executed // of a nested statement, when the log told it; of a plan, the duration that was logged before it
	id       string    // from the comment or application_name; "" for none
	raw      string    // text, with its comments
	serverMS string    // duration with planning and logging, where the log has both
	server   time.Time
	since    time.Time // when it was read
}

var (
	planMessage  = regexp.MustCompile(`^duration: (\d+\.\d+) ms  plan:\n`)
	timedMessage = regexp.MustCompile(`^duration: (\d+\.\d+) ms  (statement|execute [^\n]*?): `)
)

// read tells what an entry says of a statement; its kind is none when it says nothing.
func read(item tail.Item) *executed {
	x := &executed{Item: item}
	if m := planMessage.FindStringSubmatch(item.Message); m != nil {
		x.kind, x.took = planned, m[1]
		x.plan = readPlan(item.Message[len(m[0]):])
		if x.raw, x.cut = x.plan.query, x.plan.queryCut; strings.TrimSpace(x.raw) == "" {
			x.raw, x.cut = "?", true // a format that is not read, or cut off before the statement
		}
		x.nested = item.Context != ""
		if item.Command == "BIND" { // the next statement closed the portal, and it is that one's id
			x.QueryID = ""
		}
	} else if m := timedMessage.FindStringSubmatch(item.Message); m != nil {
		x.kind, x.took = timed, m[1]
		x.raw, x.extended = item.Message[len(m[0]):], m[2] != "statement"
	} else if item.Severity == "ERROR" && item.Statement != "" {
		x.kind, x.raw = failed, item.Statement
	}
	x.raw = strings.ReplaceAll(x.raw, "\x00", "\ufffd") // a hole in the file, after a crash of the machine
	if strings.TrimSpace(x.raw) == "" {
		x.kind = none
		return x
	}
	x.micros = micros(x.took)
	id, text, ok := statement.ID(x.raw)
	if !ok {
		id, _ = record.CorrelationID(item.Application)
		if len(item.Application) != 36 {
			id = ""
		}
	}
	x.id, x.text = id, strings.TrimSpace(text)
	if x.text == "" {
		x.text = strings.TrimSpace(x.raw)
	}
	return x
}

// micros reads milliseconds with three places.
func micros(ms string) int64 {
	whole, part, _ := strings.Cut(ms, ".")
	n, _ := strconv.ParseInt(whole+(part + "000")[:3], 10, 64)
	return n
}

// begin is when it began: the stamp, which is its end cut to the millisecond, less what it took.
func (x *executed) begin() time.Time {
	if !x.server.IsZero() {
		return x.server
	}
	return x.Time.Add(-time.Duration(x.micros) * time.Microsecond)
}

// calls tells whether a nested statement may have run in x. Both have the same query id, since PostgreSQL reports that
// of the outermost statement, and run in one transaction. Where the log tells no transaction, times tell: what is nested
// begins in its caller. Stamps are cut to the millisecond.
func (x *executed) calls(nested *executed) bool {
	isTold := x.QueryID != ""
	switch {
	case x.QueryID != nested.QueryID:
		return false
	case x.kind == failed: // when it began is not known
		return isTold && x.Transaction == nested.Transaction
	case x.kind == planned && x.Transaction != nested.Transaction:
		return false
	case x.kind == planned && isTold && x.Transaction != "":
		return true
	}
	return !nested.begin().Add(time.Millisecond).Before(x.begin()) // a duration is logged after its transaction
}

// joined returns one statement of a plan and a duration of one execution, which were logged in this order; nil when they
// are not that.
func joined(first, second *executed) *executed {
	p, d := first, second
	if p.kind == timed {
		p, d = d, p
	}
	switch {
	case p.kind != planned || d.kind != timed || p.raw != d.raw || p.micros > d.micros:
		return nil
	case p == second: // the portal was closed, maybe long after the statement's end, and under the query id of the next
		p.serverMS, p.server, p.caller, p.QueryID = d.took, d.begin(), d, d.QueryID
		return p
	case p.QueryID != d.QueryID || !d.begin().Before(p.begin().Add(time.Millisecond)): // a later execution's
		return nil
	}
	p.serverMS = d.took
	return p
}
