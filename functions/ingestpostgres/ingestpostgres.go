// Package ingestpostgres takes the records of Postgres agents: one for each statement that was logged
// with its plan, or each row of a statistics snapshot.
package ingestpostgres

import (
	"net/http"

	"github.com/bitville/listener/shared/ingest"
	"github.com/bitville/listener/shared/record"
)

// Path is where the handler answers.
const Path = "/ingest/postgres"

// New returns the handler of POST /ingest/postgres. A Postgres record holds the statement in query.
func New(cfg ingest.Config) http.Handler {
	return ingest.New(Path, record.Source{
		ID:           "postgres_agent",
		NameField:    "query",
		MaxNameBytes: 64 << 10,
	}, cfg)
}
