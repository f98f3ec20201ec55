// Package ingestphp takes the records of PHP agents: one for each profiled request.
package ingestphp

import (
	"net/http"

	"github.com/bitville/listener/shared/ingest"
	"github.com/bitville/listener/shared/record"
)

// Path is where the handler answers.
const Path = "/ingest/php"

// New returns the handler of POST /ingest/php. A PHP record names the page in request_uri.
func New(cfg ingest.Config) http.Handler {
	return ingest.New(Path, record.Source{
		ID:           "php_agent",
		NameField:    "request_uri",
		MaxNameBytes: 8192, // what web servers take as a request line
	}, cfg)
}
