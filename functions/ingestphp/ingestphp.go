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

// New returns the function's route.
func New(cfg intake.Config) web.Routes {
	return intake.New(Path, bitville.Wire{Source: record.PHP}, cfg)
}
