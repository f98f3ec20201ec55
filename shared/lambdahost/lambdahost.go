// Package lambdahost makes what a function needs on AWS Lambda.
package lambdahost

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/bitville/listener/shared/config"
	"github.com/bitville/listener/shared/host"
	"github.com/bitville/listener/shared/store/libsql"
	"github.com/bitville/listener/shared/web"
)

// Function is a Lambda function that is ready to start.
type Function struct {
	host.Deps
	DB        *libsql.DB
	Retention time.Duration // how long records are kept
}

// New reads the settings from environ and makes what they ask for. needsKeys tells whether the function has
// callers to tell apart. The error names every variable that must be set or changed.
func New(environ []string, stderr io.Writer, needsKeys bool, version string) (*Function, error) {
	cfg, warnings, err := config.LoadFunction(environ, needsKeys)
	if err != nil {
		return nil, fmt.Errorf("the function cannot start: %w", err)
	}
	log := cfg.NewLog(stderr, false)
	for _, w := range warnings {
		log.Warn(w)
	}
	db, err := libsql.New(libsql.Config{URL: cfg.DBURL, AuthToken: cfg.DBAuthToken, Now: time.Now})
	if err != nil {
		return nil, fmt.Errorf("the function cannot start (BITVILLE_DB_URL): %w", err)
	}
	return &Function{host.New(cfg, db, log, time.Now, version, host.Unobserved), db, cfg.Retention}, nil
}

// Handler serves a function's routes behind a URL of its own. The URL alone, without a path, stands for the only route
// where there is one: "POST /ingest/php" answers "POST /" too.
func Handler(deps host.Deps, routes web.Routes) http.Handler {
	if len(routes) == 1 {
		for pattern, handle := range maps.Clone(routes) {
			method, _, _ := strings.Cut(pattern, " ")
			routes = web.Routes{pattern: handle, method + " /": handle}
		}
	}
	handler := deps.Handler(routes)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.ServeHTTP(w, r)
		deps.Intake.Refusals.FlushIfDue(r.Context()) // nothing runs between two requests
	})
}
