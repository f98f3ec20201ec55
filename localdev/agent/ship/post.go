package ship

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bitville/listener/shared/auth"
)

const (
	postTimeout = time.Minute      // for a whole exchange; the listener itself gives a body 30 s
	idleTimeout = 50 * time.Second // the listener closes a connection after 60
	maxAnswer   = 4 << 20          // bytes that are read of an answer
)

// sender is how batches go to the listener. Run's goroutine alone uses it, but for what is said otherwise.
type sender struct {
	cfg      Config
	client   *http.Client
	keys     []auth.Key
	streams  map[Stream]*streamState
	until    time.Time // nothing is tried before
	failures int       // in a row
	away     bool      // the log has said that the listener is away
	looked   time.Time

	inFlight *batch // guarded by Shipper.mu, as is the next
	drains   bool   // what grows is cut at once
}

func (s *sender) open(cfg Config) (err error) {
	s.cfg, s.streams = cfg, make(map[Stream]*streamState)
	if s.client, err = newClient(cfg.CAPath); err != nil {
		return err
	}
	return s.readKeys()
}

func (s *sender) readKeys() error {
	keys, err := s.cfg.Keys()
	if err != nil {
		return fmt.Errorf("read the keys: %w", err)
	}
	s.keys = keys
	return nil
}

// path is where the listener takes a stream's records.
func (to Stream) path() string { return "/ingest/" + to.Agent }

// keysOf returns the keys that are good for a stream.
func (s *sender) keysOf(to Stream) (keys []auth.Secret) {
	for _, k := range s.keys {
		if k.Project == to.Project && (len(k.Routes) == 0 || slices.Contains(k.Routes, to.path())) {
			keys = append(keys, k.Secret)
		}
	}
	return keys
}

func (s *sender) stream(to Stream) *streamState {
	if s.streams[to] == nil {
		s.streams[to] = &streamState{}
	}
	return s.streams[to]
}

// newClient returns a client that keeps one connection, follows no redirect, and speaks HTTP/1.1, whose large bodies need
// no window of their own.
func newClient(caPath string) (*http.Client, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if caPath != "" {
		pem, err := os.ReadFile(caPath)
		if err != nil {
			return nil, fmt.Errorf("read the certificates to trust (BITVILLE_CA_PATH): %w", err)
		}
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read the certificates to trust (BITVILLE_CA_PATH): %s holds no certificate; name a PEM file, such as the listener's cert.pem", caPath)
		}
	}
	return &http.Client{
		Timeout:       postTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: 10 * time.Second,
			IdleConnTimeout:     idleTimeout,
			MaxIdleConns:        1,
		},
	}, nil
}

// answer is what came of a request: an error, or the listener's.
type answer struct {
	err        error
	status     int // 0 with an error
	text       []byte
	retryAfter time.Duration // 0 when the listener did not ask
}

func (a answer) words() string {
	text := strings.TrimSpace(string(a.text))
	if a.err != nil {
		text = a.err.Error()
	}
	return strings.TrimSpace(strings.ToValidUTF8(text[:min(len(text), 500)], ""))
}

// post sends one body and reads the answer.
func (s *sender) post(ctx context.Context, to Stream, body []byte) (a answer) {
	keys := s.keysOf(to)
	if len(keys) == 0 {
		return answer{status: http.StatusUnauthorized, text: []byte("the agent has no key of the project " + strconv.Quote(to.Project) + ", and did not ask the listener")}
	}
	defer func() { s.cfg.Counts.Posted(statusName(a.status)) }()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(s.cfg.URL, "/")+to.path(), bytes.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	req.Header.Set("Authorization", "Bearer "+string(keys[s.stream(to).key%len(keys)]))
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("Content-Encoding", "gzip")
	req.Header.Set("User-Agent", "bitville-agent/"+cmp.Or(s.cfg.Version, "devel"))
	resp, err := s.client.Do(req)
	if err != nil {
		return answer{err: s.explain(err)}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return answer{err: fmt.Errorf("read the answer: %w", err)}
	}
	return answer{status: resp.StatusCode, text: text, retryAfter: retryAfter(resp.Header.Get("Retry-After"), s.cfg.Now())}
}

// explain adds the remedy to an error of TLS. The file of certificates is read again, for the listener may have made another.
func (s *sender) explain(err error) error {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); !ok {
		return err
	}
	if client, readErr := newClient(s.cfg.CAPath); readErr == nil {
		s.client.CloseIdleConnections()
		s.client = client
	}
	return fmt.Errorf("%w; set BITVILLE_CA_PATH to the listener's cert.pem, and a host in BITVILLE_URL that it is good for", err)
}

// retryAfter reads the header: seconds, or a date.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(max(0, min(seconds, int(maxPause/time.Second)))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
