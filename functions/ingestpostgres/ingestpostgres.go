// Package ingestpostgres takes the records of Postgres agents: one for each statement that was logged
// with its plan, or each row of a statistics snapshot.
package ingestpostgres

import (
	"github.com/bitville/listener/shared/intake"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/web"
	"github.com/bitville/listener/shared/wire/bitville"
)

// Path is where the handler answers.
const Path = "/ingest/postgres"

// Source is what Postgres agents send: a record holds the statement in query.
var Source = record.Source{
	ID:           "postgres_agent",
	NameField:    "query",
	MaxNameBytes: 64 << 10,
}

// New returns the function's route.
func New(cfg intake.Config) web.Routes {
	return intake.New(Path, bitville.Wire{Source: Source}, cfg)
}
