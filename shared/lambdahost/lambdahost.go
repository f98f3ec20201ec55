// Package lambdahost is what every Lambda main does before it starts: settings, log, database. Nothing here
// opens a connection, so that a sandbox is ready as soon as its process is.
package lambdahost

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/bitville/listener/shared/config"
	"github.com/bitville/listener/shared/store/libsql"
)

// Function is a Lambda function that is ready to start.
type Function struct {
	Config config.Config
	Log    *slog.Logger // JSON, one line an event
	DB     *libsql.DB
}

// New reads the settings from environ and makes what they ask for. needsKeys tells whether the function has
// callers to tell apart. The error names every variable that must be set or changed.
func New(environ []string, stderr io.Writer, needsKeys bool) (*Function, error) {
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
	return &Function{Config: cfg, Log: log, DB: db}, nil
}
