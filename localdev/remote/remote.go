// Package remote reads the views of a listener that runs elsewhere, over HTTPS with a read key.
package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/view"
)

const (
	connectTime = 5 * time.Second
	answerTime  = 10 * time.Second // until an answer begins: a page has two seconds
	timeout     = 30 * time.Second // for all of it
	maxAnswer   = 64 << 20         // bytes: a whole plan has up to 4 MiB, and its lines beside it
)

// Client reads from one listener. Its views are those of view.Views. An error tells what to set or to ask for.
type Client struct {
	base *url.URL
	key  auth.Secret
	http *http.Client
}

// New returns a client of the listener at an https:// address. caPath is a PEM file to trust beside the system's
// authorities, or "".
func New(address string, key auth.Secret, caPath string) (*Client, error) {
	base, err := url.Parse(address)
	if err != nil || base.Scheme != "https" || base.Host == "" {
		return nil, errors.New("--url must be an https:// URL, such as https://listener.example.com:8443")
	}
	if base.User != nil || base.RawQuery != "" || base.Fragment != "" {
		return nil, errors.New("--url must have no user, password, query or fragment in it: the key is set in BITVILLE_READ_KEY")
	}
	if key == "" {
		return nil, errors.New("BITVILLE_READ_KEY is not set: set one of the read keys that the listener takes")
	}
	trusted, err := x509.SystemCertPool()
	if err != nil {
		trusted = x509.NewCertPool()
	}
	if caPath != "" {
		pem, err := os.ReadFile(caPath)
		if err != nil {
			return nil, fmt.Errorf("read the certificate to trust (BITVILLE_CA_PATH): %w", err)
		}
		if !trusted.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s (BITVILLE_CA_PATH) holds no certificate in PEM: name the listener's cert.pem", caPath)
		}
	}
	transport := &http.Transport{
		TLSClientConfig:       &tls.Config{RootCAs: trusted},
		ForceAttemptHTTP2:     true,
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: connectTime}).DialContext,
		TLSHandshakeTimeout:   connectTime,
		ResponseHeaderTimeout: answerTime,
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // the key goes to one host
	return &Client{base: base, key: key, http: &http.Client{Timeout: timeout, Transport: transport, CheckRedirect: stay}}, nil
}

// Close ends the kept connections.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// Projects returns the names of the projects that the key may see.
func (c *Client) Projects(ctx context.Context) ([]string, error) {
	page, err := get[view.Projects](ctx, c, nil)
	if errors.Is(err, view.ErrNotFound) {
		return nil, fmt.Errorf("%s serves no pages: set BITVILLE_READ_KEY_<PROJECT> where it runs, and start it again", c.base.Host)
	}
	if err != nil {
		return nil, err
	}
	names := make([]string, len(page.Projects))
	for i := range page.Projects {
		names[i] = page.Projects[i].Project
	}
	return names, nil
}

// ProjectsOf returns the projects that have records under a correlation id, and that the key may see.
func (c *Client) ProjectsOf(ctx context.Context, id string) ([]string, error) {
	response, body, err := c.ask(ctx, nil, id)
	if errors.Is(err, view.ErrNotFound) {
		_, err = c.Projects(ctx) // are there pages at all?
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	if response.StatusCode == http.StatusSeeOther { // one project has it
		at, err := response.Location()
		if err != nil || at.Host != c.base.Host {
			return nil, c.notOurs()
		}
		parts := strings.Split(at.EscapedPath(), "/")
		if len(parts) < 3 || parts[len(parts)-1] != id {
			return nil, c.notOurs()
		}
		project, err := url.PathUnescape(parts[len(parts)-2])
		return []string{strings.TrimPrefix(project, "project:")}, err
	}
	var several struct{ Projects []string }
	if json.Unmarshal(body, &several) != nil || len(several.Projects) == 0 {
		return nil, c.notOurs()
	}
	return several.Projects, nil
}

// Requests returns the slowest requests of a project, of one route or of all ("").
func (c *Client) Requests(ctx context.Context, project string, since time.Duration, routeKey string, limit int) (*view.Requests, error) {
	query := list(since, limit)
	if routeKey != "" {
		query.Set("route", routeKey)
	}
	return get[view.Requests](ctx, c, query, project, "requests")
}

// Routes returns the routes of a span, most time spent first.
func (c *Client) Routes(ctx context.Context, project string, since time.Duration, limit int) (*view.Routes, error) {
	return get[view.Routes](ctx, c, list(since, limit), project, "routes")
}

// Statements returns the statements of a span, most time spent first.
func (c *Client) Statements(ctx context.Context, project string, since time.Duration, limit int) (*view.Statements, error) {
	return get[view.Statements](ctx, c, list(since, limit), project, "statements")
}

// Look returns one request.
func (c *Client) Look(ctx context.Context, project, id string) (*view.Look, error) {
	return get[view.Look](ctx, c, nil, project, id)
}

// Plan returns the plan of the n-th statement of a request, from 1.
func (c *Client) Plan(ctx context.Context, project, id string, n int) (*view.Plan, error) {
	return get[view.Plan](ctx, c, nil, project, id, "plan", strconv.Itoa(n))
}

func list(since time.Duration, limit int) url.Values {
	return url.Values{"since": {since.String()}, "limit": {strconv.Itoa(limit)}}
}

// get asks for a page. Each names its project, or the projects.
func get[Page any](ctx context.Context, c *Client, query url.Values, path ...string) (*Page, error) {
	response, body, err := c.ask(ctx, query, path...)
	if err != nil {
		return nil, err
	}
	page, of := new(Page), struct {
		Project  string
		Projects []json.RawMessage
	}{}
	if response.StatusCode != http.StatusOK || json.Unmarshal(body, &of) != nil || of.Project == "" && of.Projects == nil || json.Unmarshal(body, page) != nil {
		return nil, c.notOurs()
	}
	return page, nil
}

// ask asks for a page under /traces as JSON. The answer is 200, or 303 to another page.
func (c *Client) ask(ctx context.Context, query url.Values, path ...string) (*http.Response, []byte, error) {
	at := c.base.JoinPath("traces")
	for _, part := range path {
		at = at.JoinPath(url.PathEscape(part))
	}
	if len(path) == 0 {
		at = at.JoinPath("/")
	}
	at.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, nil, fmt.Errorf("ask %s: %w", c.base.Host, err)
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Authorization", "Bearer "+string(c.key))
	response, err := c.http.Do(request)
	if err != nil {
		return nil, nil, c.unanswered(ctx, err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, nil, c.unanswered(ctx, err)
	}
	return response, body, c.refused(response, body)
}

// refused tells an answer that is no page. What is not found is view.ErrNotFound, as it is in a file.
func (c *Client) refused(response *http.Response, body []byte) error {
	if status := response.StatusCode; status == http.StatusOK || status == http.StatusSeeOther {
		return nil
	}
	var answer struct{ Error string } // every error of a listener has it
	if json.Unmarshal(body, &answer) != nil || answer.Error == "" {
		return fmt.Errorf("%w: it answered %s", c.notOurs(), response.Status)
	}
	why := strings.Join(strings.Fields(answer.Error), " ")
	switch response.StatusCode {
	case http.StatusNotFound:
		return view.ErrNotFound
	case http.StatusUnauthorized:
		return fmt.Errorf("%s does not take the key in BITVILLE_READ_KEY: %s", c.base.Host, why)
	}
	return fmt.Errorf("%s answered %d: %s", c.base.Host, response.StatusCode, why)
}

func (c *Client) notOurs() error {
	return fmt.Errorf("%s does not answer as a listener does: look at the host, port and path of --url", c.base.Host)
}

// unanswered tells why no answer came.
func (c *Client) unanswered(ctx context.Context, err error) error {
	host := c.base.Host
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // without the URL, which is long
	}
	if ctx.Err() != nil {
		return fmt.Errorf("ask %s: %w", host, ctx.Err())
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return fmt.Errorf("the certificate of %s is not trusted: set BITVILLE_CA_PATH to the listener's certificate, cert.pem beside its database where it made that itself", host)
	}
	if named, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Errorf("--url must have a name that the listener's certificate has: %w", named)
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && !dns.Timeout() {
		return fmt.Errorf("the host of --url, %s, is not known (%s)", dns.Name, dns.Err)
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("nothing listens at %s: start the listener, or look at the host and port of --url", host)
	}
	if timed, ok := errors.AsType[net.Error](err); ok && timed.Timeout() {
		return fmt.Errorf("%s did not answer in time: try again, or a shorter --since", host)
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return fmt.Errorf("%s speaks HTTP without TLS, which a listener does not: look at the port of --url", host)
	}
	return fmt.Errorf("ask %s: %w", host, err)
}
