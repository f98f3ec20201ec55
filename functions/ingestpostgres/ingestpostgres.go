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

// New returns the function's route.
func New(cfg intake.Config) web.Routes {
	return intake.New(Path, bitville.Wire{Source: record.Postgres, Redact: cfg.Redact}, cfg)
}
