// Package refusals tells the author of an agent what the listener refused of a project, and why, by the hour.
package refusals

import (
	"context"
	"net/http"
	"time"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/intake"
	"github.com/bitville/listener/shared/refusals"
	"github.com/bitville/listener/shared/web"
)

// Path is where the function answers.
const Path = "/refusals"

const (
	defaultSince = 24 * time.Hour
	readTimeout  = 3 * time.Second
	maxListed    = 500 // refusals of the project, and as many of unknown keys
)

// Config is what the function needs.
type Config struct {
	intake.Config // who may ask: whoever may send
	Store         refusals.Store
}

// answer is the function's JSON.
type answer struct {
	Project  string    `json:"project"`
	Since    time.Time `json:"since"` // the hour that it fell into began then
	Refusals []refusal `json:"refusals"`

	// Unidentified were refused because their key was no project's. They may be another project's, or a stranger's.
	Unidentified []refusal `json:"unidentified"`
}

type refusal struct {
	Hour    time.Time `json:"hour"`
	Route   string    `json:"route"`
	Reason  string    `json:"reason"`
	Field   string    `json:"field,omitzero"`
	Count   int64     `json:"count"`
	LastAt  time.Time `json:"last_at"`
	Message string    `json:"message"`
}

// New returns the function's route.
func New(cfg Config) web.Routes {
	return web.Routes{"GET " + Path: func(w *web.Response, r *http.Request) error {
		project, err := cfg.Authenticate(w, r, auth.Places{Basic: true}, Path)
		if err != nil {
			return err
		}
		since := defaultSince
		if text := r.URL.Query().Get("since"); text != "" {
			if since, err = time.ParseDuration(text); err != nil || since < time.Minute || since > cfg.Retention {
				return &web.Error{Status: http.StatusBadRequest, Text: "since is a span as in 30m or 24h: at least a minute, and at most as long as records are kept, " + cfg.Retention.String()}
			}
		}
		from := cfg.Now().Add(-min(since, cfg.Retention)).UTC()
		ctx, cancel := context.WithTimeout(r.Context(), web.TimeLeft(r.Context(), readTimeout))
		defer cancel()
		found, err := cfg.Store.Refusals(ctx, project, from, maxListed)
		if err != nil {
			return intake.Unavailable(err, "Not read")
		}
		a := answer{Project: project, Since: from.Truncate(time.Second), Refusals: []refusal{}, Unidentified: []refusal{}}
		for _, f := range found {
			list := &a.Refusals
			if f.Project == "" {
				list = &a.Unidentified
			}
			*list = append(*list, refusal{f.Hour, f.Route, f.Reason, f.Field, f.Count, f.LastAt.Truncate(time.Second), f.Message})
		}
		return w.JSON(http.StatusOK, a)
	}}
}
