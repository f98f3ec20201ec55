package otlp

import (
	"slices"
	"strings"

	"github.com/bitville/listener/shared/mask"
	"github.com/bitville/listener/shared/statement"
)

// Privacy says what of a span is stored. Its zero value drops what tells of persons and what holds the values of
// statements, and takes the values out of query strings.
type Privacy struct {
	Keep   []string // of mask.Dropped: what is stored all the same
	Redact bool     // no literal of a statement is stored, whatever Keep says
}

func (p Privacy) keeps(name string) bool {
	return slices.Contains(p.Keep, name) && !(p.Redact && slices.Contains(literals, name))
}

// literals are those of mask.Dropped that hold literals where no question mark can be put for them.
var literals = []string{statusMessage, "exception.message", "exception.stacktrace", "db.postgresql.values", "query.parameters"}

// statusMessage stands for the message of a span's status, which is no attribute. It repeats what a database said, with
// the statement.
const statusMessage = "status.message"

// dropped are the attributes that never reach the disk unless they are kept, and the names in mask.Dropped that keep
// them. Many have two: the one that they had before OpenTelemetry's conventions were stable is what Python sends.
var dropped = map[string]string{
	statusMessage:             statusMessage,
	"exception.message":       "exception.message",
	"exception.stacktrace":    "exception.stacktrace",
	"user_agent.original":     "user_agent.original",
	"http.user_agent":         "user_agent.original",
	"client.address":          "client.address",
	"http.client_ip":          "client.address",
	"network.peer.address":    "network.peer.address",
	"net.peer.ip":             "network.peer.address",
	"net.sock.peer.addr":      "network.peer.address",
	"db.postgresql.values":    "db.postgresql.values",
	"db.statement.parameters": "db.postgresql.values",
	"query.parameters":        "query.parameters",
	"query.deparse_info":      "query.deparse_info",
}

// masked are the attributes that lose the values of their query strings.
var masked = map[string]bool{"url.full": true, "url.path": true, "url.query": true, "http.url": true, "http.target": true}

func (p Privacy) drops(name string) bool {
	by, is := dropped[name]
	if strings.HasPrefix(name, "db.query.parameter.") || strings.HasPrefix(name, "db.operation.parameter.") {
		by, is = "db.postgresql.values", true
	}
	return is && !p.keeps(by)
}

// changes tells whether an attribute's text is not stored as it was sent.
func (p Privacy) changes(name string) bool { return p.masks(name) || p.redacts(name) }

func (p Privacy) masks(name string) bool { return masked[name] && !p.keeps("query_values") }

func (p Privacy) redacts(name string) bool {
	return p.Redact && (name == "db.query.text" || name == "db.statement" || name == "query.deparse_info")
}

// shown returns what is stored of an attribute's text.
func (p Privacy) shown(name, text string) string {
	switch {
	case p.redacts(name):
		return statement.Mask(text)
	case p.masks(name) && name == "url.query":
		return strings.TrimPrefix(mask.URI("?"+text), "?")
	case p.masks(name):
		return mask.URI(text)
	}
	return text
}

// name returns what is stored of a span's name: of a URL in it no values.
func (p Privacy) name(name string, isStatement bool) string {
	switch {
	case isStatement && p.Redact:
		return statement.Mask(name)
	case isStatement || !strings.Contains(name, "?") || p.keeps("query_values"):
		return name
	}
	words := strings.Split(name, " ")
	for i, word := range words {
		if strings.HasPrefix(word, "/") || strings.Contains(word, "://") {
			words[i] = mask.URI(word)
		}
	}
	return strings.Join(words, " ")
}
