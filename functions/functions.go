// Package functions lists what the listener answers. The process serves all of the list; on AWS Lambda each function is a
// program of its own, in its folder lambda, but for those that need a file.
package functions

import (
	"slices"

	"github.com/bitville/listener/functions/health"
	"github.com/bitville/listener/functions/importbuggregator"
	"github.com/bitville/listener/functions/importotlp"
	"github.com/bitville/listener/functions/importxhgui"
	"github.com/bitville/listener/functions/ingestphp"
	"github.com/bitville/listener/functions/ingestpostgres"
	"github.com/bitville/listener/functions/traces"
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
	Optional bool          // is on AWS only where a parameter of template.yaml names it; the process has all
	New      func(host.Deps) web.Routes
}

// Needs is what a function must be given beside the database.
type Needs struct {
	Keys      bool // API keys, and what bodies and callers may cost
	Retention bool
	Schedule  bool // is run every hour
	File      bool // a database that is a file, so that it is no function on AWS Lambda
}

// ingest is what functions need that take records.
var ingest = Needs{Keys: true, Retention: true}

// All lists the functions.
var All = []Function{
	{Name: "ingestphp", Patterns: []string{"POST " + ingestphp.Path}, Needs: ingest, Agent: "php", Source: record.PHP,
		New: func(d host.Deps) web.Routes { return ingestphp.New(d.Intake) }},
	{Name: "ingestpostgres", Patterns: []string{"POST " + ingestpostgres.Path}, Needs: ingest, Agent: "postgres", Source: record.Postgres,
		New: func(d host.Deps) web.Routes { return ingestpostgres.New(d.Intake) }},
	{Name: "importxhgui", Patterns: importxhgui.Patterns, Needs: ingest, Optional: true,
		New: func(d host.Deps) web.Routes { return importxhgui.New(d.Intake) }},
	{Name: "importbuggregator", Patterns: importbuggregator.Patterns, Needs: ingest, Optional: true,
		New: func(d host.Deps) web.Routes { return importbuggregator.New(d.Intake) }},
	{Name: "importotlp", Patterns: importotlp.Patterns, Needs: ingest, Optional: true,
		New: func(d host.Deps) web.Routes { return importotlp.New(d.Intake) }},
	{Name: "health", Patterns: health.Patterns,
		New: func(d host.Deps) web.Routes {
			return health.New(health.Config{Store: d.Store, Now: d.Now, Version: d.Version})
		}},
	{Name: "traces", Patterns: traces.Patterns, Needs: Needs{File: true},
		New: func(d host.Deps) web.Routes {
			return traces.New(traces.Config{Store: d.Read.View, Readers: d.Read.Readers, Values: d.Read.Values, Retention: d.Intake.Retention,
				Throttle: d.Read.Throttle, Proxies: d.Intake.Proxies, Now: d.Now})
		}},
	{Name: "retention", Needs: Needs{Retention: true, Schedule: true}},
}

// OnLambda lists the functions that run on AWS Lambda.
func OnLambda() []Function {
	return slices.DeleteFunc(slices.Clone(All), func(f Function) bool { return f.Needs.File })
}
