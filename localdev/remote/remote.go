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
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/view"
)

const (
	timeout   = 30 * time.Second
	maxAnswer = 64 << 20 // bytes: a whole plan has up to 4 MiB, and its lines beside it
)

// Client reads from one listener. Its methods are those of view.Views, and their errors the listener's words.
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
		return nil, errors.New("the listener's address must be an https:// URL, such as https://listener.example.com:8443")
	}
	if base.User != nil || base.RawQuery != "" {
		return nil, errors.New("the listener's address must have no user, password or query in it: the key goes into BITVILLE_READ_KEY")
	}
	if key == "" {
		return nil, errors.New("a read key is needed: set BITVILLE_READ_KEY")
	}
	trusted, err := x509.SystemCertPool()
	if err != nil {
		trusted = x509.NewCertPool()
	}
	if caPath != "" {
		pem, err := os.ReadFile(caPath)
		if err != nil {
			return nil, fmt.Errorf("read the certificate to trust: %w", err)
		}
		if !trusted.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate in PEM", caPath)
		}
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}, ForceAttemptHTTP2: true, Proxy: http.ProxyFromEnvironment}
	return &Client{base: base, key: key, http: &http.Client{Timeout: timeout, Transport: transport}}, nil
}

// Close ends the kept connections.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// Projects returns the projects that the key may see.
func (c *Client) Projects(ctx context.Context) (*view.Projects, error) {
	return get[view.Projects](ctx, c, nil)
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

// Look returns one request. An empty project finds it by the id alone.
func (c *Client) Look(ctx context.Context, project, id string) (*view.Look, error) {
	if project == "" {
		return get[view.Look](ctx, c, nil, id)
	}
	return get[view.Look](ctx, c, nil, project, id)
}

// Plan returns the plan of the n-th statement of a request, from 1.
func (c *Client) Plan(ctx context.Context, project, id string, n int) (*view.Plan, error) {
	return get[view.Plan](ctx, c, nil, project, id, "plan", strconv.Itoa(n))
}

func list(since time.Duration, limit int) url.Values {
	return url.Values{"since": {since.String()}, "limit": {strconv.Itoa(limit)}}
}

// get asks for a page under /traces as JSON.
func get[Page any](ctx context.Context, c *Client, query url.Values, path ...string) (*Page, error) {
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
		return nil, fmt.Errorf("ask the listener: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Authorization", "Bearer "+string(c.key))
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask the listener: %w", err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the listener's answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, refused(response.StatusCode, body)
	}
	page := new(Page)
	if err := json.Unmarshal(body, page); err != nil {
		return nil, fmt.Errorf("%s does not answer as a listener: %w", c.base.Host, err)
	}
	return page, nil
}

// refused tells an answer that is no page. What is not found is view.ErrNotFound, as it is in a file.
func refused(status int, body []byte) error {
	if status == http.StatusNotFound {
		return view.ErrNotFound
	}
	var answer struct{ Error string }
	if json.Unmarshal(body, &answer) == nil && answer.Error != "" {
		return fmt.Errorf("the listener answered %d: %s", status, strings.Join(strings.Fields(answer.Error), " "))
	}
	return fmt.Errorf("the listener answered %d %s", status, http.StatusText(status))
}
