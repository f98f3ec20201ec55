// Package traces is the read side: pages that lead from a slow request to the query and the plan that made it slow, each as
// HTML and as JSON.
//
// A reader needs a read key; who has none learns nothing, also not what exists. Everything shown came from strangers:
// pages have no script and no style but the files of this package, and load nothing from elsewhere.
package traces

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/clientip"
	"github.com/bitville/listener/shared/view"
	"github.com/bitville/listener/shared/web"
)

// Path is below what the handler answers.
const Path = "/traces/"

// Config is what the handler needs.
type Config struct {
	Store     view.Store
	Readers   *auth.Readers    // None: everything is 404
	Retention time.Duration    // of records
	Values    bool             // show literals, values of query strings and secrets
	Throttle  *auth.Throttle   // of wrong keys
	Proxies   clientip.Proxies // that tell whom they forward for
	Now       func() time.Time
}

// Patterns are those of the routes.
var Patterns = slices.Sorted(maps.Keys((&handler{}).all()))

// New returns the routes of everything under Path.
func New(cfg Config) web.Routes {
	h := &handler{
		Config:     cfg,
		views:      &view.Views{Store: cfg.Store, Now: cfg.Now, Values: cfg.Values, Retention: cfg.Retention},
		slots:      make(chan struct{}, maxPages),
		protection: http.NewCrossOriginProtection(),
	}
	return h.all()
}

func (h *handler) all() web.Routes {
	routes := web.Routes{
		"GET /traces":           h.open(redirectTo(Path)),
		"GET /traces/login":     h.open(h.loginForm),
		"POST /traces/login":    h.open(h.login),
		"GET /traces/logout":    h.open(redirectTo(loginPath)),
		"POST /traces/logout":   h.open(h.logout),
		"GET /traces/{rest...}": h.page("", func(*request) (any, error) { return nil, view.ErrNotFound }),
	}
	for name := range assets {
		routes["GET "+assetsPath+name] = h.open(asset(name))
	}
	for pattern, page := range (web.Routes{
		"GET /traces/":                           h.page("projects", h.projects),
		"GET /traces/{project}":                  h.page("overview", h.overview),
		"GET /traces/{project}/requests":         h.page("requests", h.requests),
		"GET /traces/{project}/routes":           h.page("routes", h.routes),
		"GET /traces/{project}/routes/{key}":     h.page("route", h.route),
		"GET /traces/{project}/statements":       h.page("statements", h.statements),
		"GET /traces/{project}/statements/{key}": h.page("statement", h.statement),
		"GET /traces/{project}/{id}":             h.page("look", h.look),
		"GET /traces/{project}/{id}/{part}":      h.page("profile", h.profile),
		"GET /traces/{project}/{id}/plan/{n}":    h.page("plan", h.plan),
	}) {
		routes[pattern] = page
		if !strings.HasSuffix(pattern, "}") { // else the name at the end has it
			routes[pattern+".json"] = page
		}
	}
	return routes
}

type handler struct {
	Config
	views      *view.Views
	slots      chan struct{} // one for each page that is being made
	protection *http.CrossOriginProtection
}
