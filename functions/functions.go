// Package functions lists what the listener answers. The process serves all of the list; on AWS Lambda each function is a
// program of its own, in its folder lambda.
package functions

import (
	"github.com/bitville/listener/functions/health"
	"github.com/bitville/listener/functions/ingestphp"
	"github.com/bitville/listener/functions/ingestpostgres"
	"github.com/bitville/listener/shared/host"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/web"
)

// Function is one of the list.
type Function struct {
	Name     string   // of its folder
	Patterns []string // of http.ServeMux, "METHOD /path"; none where a schedule runs it
	Needs    Needs
	Agent    string        // what its agents are called in a datagram; "" where none send
	Source   record.Source // of its agents' records
	New      func(host.Deps) web.Routes
}

// Needs is what a function must be given beside the database.
type Needs struct {
	Keys      bool // API keys, and what bodies and callers may cost
	Retention bool
	Schedule  bool // is run every hour
}

// ingest is what functions need that take records.
var ingest = Needs{Keys: true, Retention: true}

// All lists the functions.
var All = []Function{
	{"ingestphp", []string{"POST " + ingestphp.Path}, ingest, "php", ingestphp.Source, func(d host.Deps) web.Routes { return ingestphp.New(d.Intake) }},
	{"ingestpostgres", []string{"POST " + ingestpostgres.Path}, ingest, "postgres", ingestpostgres.Source, func(d host.Deps) web.Routes { return ingestpostgres.New(d.Intake) }},
	{"health", health.Patterns, Needs{}, "", record.Source{}, func(d host.Deps) web.Routes {
		return health.New(health.Config{Store: d.Store, Now: d.Now, Version: d.Version})
	}},
	{"retention", nil, Needs{Retention: true, Schedule: true}, "", record.Source{}, nil},
}
