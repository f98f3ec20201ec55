// Package ingestphp takes the records of PHP agents: one for each profiled request.
package ingestphp

import (
	"github.com/bitville/listener/shared/intake"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/web"
	"github.com/bitville/listener/shared/wire/bitville"
)

// Path is where the handler answers.
const Path = "/ingest/php"

// Source is what PHP agents send: a record names the page in request_uri.
var Source = record.Source{
	ID:           "php_agent",
	NameField:    "request_uri",
	MaxNameBytes: 8192, // what web servers take as a request line
}

// New returns the function's route.
func New(cfg intake.Config) web.Routes {
	return intake.New(Path, bitville.Wire{Source: Source}, cfg)
}
