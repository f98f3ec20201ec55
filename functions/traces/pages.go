package traces

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bitville/listener/shared/route"
	"github.com/bitville/listener/shared/view"
	"github.com/bitville/listener/shared/web"
)

// choice is an id that several projects have.
type choice struct {
	CorrelationID string   `json:"correlation_id"`
	Projects      []string `json:"projects"`
}

func (h *handler) projects(r *request) (any, error) {
	r.frame.Title = "Projects"
	if q := strings.TrimSpace(r.query.Get("q")); q != "" {
		id, ok := findID(q)
		if !ok {
			return nil, &web.Error{Status: http.StatusBadRequest, Text: "There is no correlation id in what was searched for: it is a UUID or 32 hexadecimal digits, and may stand in a longer line"}
		}
		return nil, elsewhere(Path + id)
	}
	page, err := h.views.Projects(r.ctx, r.viewer.Sees)
	if err != nil {
		return nil, err
	}
	for _, name := range r.viewer.Projects() { // also those without a record: their pages say how to send the first
		if !slices.ContainsFunc(page.Projects, func(p view.Project) bool { return p.Project == name }) {
			page.Projects = append(page.Projects, view.Project{Project: name})
		}
	}
	if r.html && len(page.Projects) == 1 {
		return nil, elsewhere(projectPath(page.Projects[0].Project))
	}
	r.frame.Host = origin(r.Request)
	return page, nil
}

// byID finds the project of an id.
func (h *handler) byID(r *request, id string) (any, error) {
	found, err := h.Store.ProjectsOf(r.ctx, id)
	if err != nil {
		return nil, err
	}
	page := choice{CorrelationID: id}
	for _, project := range found {
		if r.viewer.Sees(project) {
			page.Projects = append(page.Projects, project)
		}
	}
	switch len(page.Projects) {
	case 0:
		return nil, view.ErrNotFound
	case 1:
		return nil, elsewhere(projectPath(page.Projects[0]) + "/" + id)
	}
	r.frame.Title = "One id in several projects"
	r.frame.Template = "choice"
	return page, nil
}

func (h *handler) overview(r *request) (any, error) {
	if id, ok := parseID(r.PathValue("project")); ok {
		return h.byID(r, id)
	}
	project, err := r.project("overview")
	if err != nil {
		return nil, err
	}
	r.frame.Title = project
	r.frame.Host = origin(r.Request)
	return h.views.Overview(r.ctx, project)
}

func (h *handler) requests(r *request) (any, error) {
	project, err := r.project("requests")
	if err != nil {
		return nil, err
	}
	since, limit, err := r.list(time.Hour)
	if err != nil {
		return nil, err
	}
	key := route.KeyOf(r.query.Get("route"))
	r.frame.Title = "Slowest requests of " + project
	return h.views.Requests(r.ctx, project, since, key, limit)
}

func (h *handler) routes(r *request) (any, error) {
	project, err := r.project("routes")
	if err != nil {
		return nil, err
	}
	since, limit, err := r.list(24 * time.Hour)
	if err != nil {
		return nil, err
	}
	r.frame.Title = "Routes of " + project
	return h.views.Routes(r.ctx, project, since, limit)
}

func (h *handler) route(r *request) (any, error) {
	project, err := r.project("routes")
	if err != nil {
		return nil, err
	}
	since, _, err := r.list(24 * time.Hour)
	if err != nil {
		return nil, err
	}
	page, err := h.views.Route(r.ctx, project, r.PathValue("key"), since)
	if err != nil {
		return nil, err
	}
	r.frame.Title = page.Route
	return page, nil
}

func (h *handler) statements(r *request) (any, error) {
	project, err := r.project("statements")
	if err != nil {
		return nil, err
	}
	since, limit, err := r.list(24 * time.Hour)
	if err != nil {
		return nil, err
	}
	r.frame.Title = "Statements of " + project
	return h.views.Statements(r.ctx, project, since, limit)
}

func (h *handler) statement(r *request) (any, error) {
	project, err := r.project("statements")
	if err != nil {
		return nil, err
	}
	since, _, err := r.list(24 * time.Hour)
	if err != nil {
		return nil, err
	}
	r.frame.Title = "Statement of " + project
	return h.views.Statement(r.ctx, project, r.PathValue("key"), since)
}

func (h *handler) look(r *request) (any, error) {
	project, id, err := r.id("")
	if err != nil {
		return nil, err
	}
	page, err := h.views.Look(r.ctx, project, id)
	if err != nil {
		return nil, err
	}
	r.frame.Title = page.Name
	return page, nil
}

func (h *handler) profile(r *request) (any, error) {
	if r.PathValue("part") != "profile" {
		return nil, view.ErrNotFound
	}
	project, id, err := r.id("/profile")
	if err != nil {
		return nil, err
	}
	function := 0
	if f := r.query.Get("function"); f != "" {
		if function, err = strconv.Atoi(f); err != nil || function < 1 {
			return nil, &web.Error{Status: http.StatusBadRequest, Text: "function is the place of one in the list, from 1"}
		}
	}
	page, err := h.views.Profile(r.ctx, project, id, function)
	if err != nil {
		return nil, err
	}
	r.frame.Title = "Profile of " + page.Name
	return page, nil
}

func (h *handler) plan(r *request) (any, error) {
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil {
		return nil, view.ErrNotFound
	}
	project, id, err := r.id("/plan/" + strconv.Itoa(n))
	if err != nil {
		return nil, err
	}
	r.frame.Title = "Plan of statement " + strconv.Itoa(n)
	return h.views.Plan(r.ctx, project, id, n)
}

// project returns the project that is asked for, when the reader may see it. nav is the page's place in the navigation.
func (r *request) project(nav string) (string, error) {
	project := strings.TrimPrefix(r.PathValue("project"), spelled)
	if !r.viewer.Sees(project) {
		return "", view.ErrNotFound
	}
	r.frame.Project, r.frame.Nav = project, nav
	return project, nil
}

// id returns the request that is asked for. One that is spelled in another way is elsewhere.
func (r *request) id(rest string) (project, id string, err error) {
	if project, err = r.project(""); err != nil {
		return "", "", err
	}
	id, ok := parseID(r.PathValue("id"))
	if !ok {
		return "", "", view.ErrNotFound
	}
	if id != r.PathValue("id") {
		return "", "", elsewhere(projectPath(project) + "/" + id + rest)
	}
	return project, id, nil
}

// list reads the parameters of a list.
func (r *request) list(since time.Duration) (time.Duration, int, error) {
	limit := 50
	if text := r.query.Get("since"); text != "" {
		var err error
		if since, err = view.ParseSpan(text); err != nil {
			return 0, 0, &web.Error{Status: http.StatusBadRequest, Text: "since is " + err.Error()}
		}
	}
	if text := r.query.Get("limit"); text != "" {
		var err error
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > view.MaxRows {
			return 0, 0, &web.Error{Status: http.StatusBadRequest, Text: "limit is a number from 1 to " + strconv.Itoa(view.MaxRows)}
		}
	}
	r.frame.Since = since
	return since, limit, nil
}

var anID = regexp.MustCompile(`(?i)(?:^|[^0-9a-f])([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32})(?:$|[^0-9a-f])`)

// findID returns the first correlation id in a line.
func findID(text string) (string, bool) {
	found := anID.FindStringSubmatch(text)
	if found == nil {
		return "", false
	}
	return parseID(found[1])
}

// parseID reads a correlation id as agents may send it, and returns it as it is stored.
func parseID(text string) (string, bool) {
	if found := anID.FindStringSubmatch(text); found == nil || found[1] != text {
		return "", false
	}
	d := strings.ToLower(strings.ReplaceAll(text, "-", ""))
	return d[:8] + "-" + d[8:12] + "-" + d[12:16] + "-" + d[16:20] + "-" + d[20:], true
}

// spelled stands before a project's name in a path that would be another page's.
const spelled = "project:"

// projectPath is where a project's pages are.
func projectPath(project string) string {
	name := url.PathEscape(project)
	_, isID := parseID(project)
	if isID || project == "login" || project == "logout" || project == "assets" || strings.HasPrefix(project, spelled) {
		name = spelled + name
	}
	return Path + name
}

// origin is where this listener is reached.
func origin(r *http.Request) string {
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
