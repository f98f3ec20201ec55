package main

import (
	"crypto/tls"
	"flag"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/config"
	"github.com/bitville/listener/shared/contracttest"
	"github.com/bitville/listener/shared/host"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/libsql/libsqltest"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

// A deployed listener is held against the contract by make smoke. SSL_CERT_FILE names its certificate when it
// is self-signed. The records are stored there.
var (
	deployedURL         = flag.String("url", "", "a deployed listener to run the contract's requests against")
	deployedPostgresURL = flag.String("postgres-url", "", "where /ingest/postgres is, when it has a URL of its own")
	deployedHealthURL   = flag.String("health-url", "", "where /health and /ready are, when they have a URL of their own")
	deployedKey         = flag.String("key", "", "an API key of it")
	deployedProject     = flag.String("project", "", "the project of the key")
)

// The project of these tests: its name can be spelled with "-" and ".".
const (
	contractProject = "my_shop"
	contractKey     = "contract-key-0123456789"
)

// The read key of the project, and another project, for the read side.
var contractReader = contracttest.Reader{Key: "contract-read-key-0123", OtherProject: "bank", OtherKey: "contract-key-of-the-bank"}

// readerEnv are the settings of contractReader.
var readerEnv = []string{"BITVILLE_READ_KEY_MY_SHOP=" + contractReader.Key, "BITVILLE_API_KEY_BANK=" + contractReader.OtherKey}

// TestContract sends the same requests to the handler, to the built binary over both versions of HTTP, and to
// a deployed listener if one is named.
func TestContract(t *testing.T) {
	t.Run("in process", func(t *testing.T) {
		db, path := sqlitetest.New(t)
		cfg, _, err := config.Load([]string{"BITVILLE_API_KEY_MY_SHOP=" + contractKey, contracttest.LimitedKeys, "BITVILLE_DB_PATH=" + path})
		require.NoError(t, err)
		target := serveContract(t, newHandler(host.New(cfg, db, slog.New(slog.DiscardHandler), now, "", host.Unobserved)))
		requireRows(t, path, contracttest.Run(t, target))
		contracttest.RunFailing(t, func(t *testing.T, store contracttest.FailingStore) contracttest.Target {
			failing := serveContract(t, newHandler(host.New(cfg, store, slog.New(slog.DiscardHandler), now, "", host.Unobserved)))
			failing.Document = target.Document
			return failing
		})
		cfg.AuthFailuresPerMinute = 5
		throttling := serveContract(t, newHandler(host.New(cfg, db, slog.New(slog.DiscardHandler), now, "", host.Unobserved)))
		throttling.Document = target.Document
		contracttest.RunThrottled(t, throttling, cfg.AuthFailuresPerMinute)
		contracttest.RunUnread(t, target)
		runReading(t, target.Document)
		require.Empty(t, target.Document.Unseen(t), "infra/openapi.yaml has answers that no request brought about")
	})
	t.Run("reading", func(t *testing.T) {
		l := startListener(t, append(readerEnv, "BITVILLE_API_KEY_MY_SHOP="+contractKey)...)
		require.Positive(t, contracttest.RunReading(t, overHTTP(t, l, 2), contractReader))
	})
	t.Run("HTTP/2", func(t *testing.T) {
		l := startListener(t, "BITVILLE_API_KEY_MY_SHOP="+contractKey, contracttest.LimitedKeys)
		requireRows(t, l.DBPath, contracttest.Run(t, overHTTP(t, l, 2)))
	})
	t.Run("throttled", func(t *testing.T) {
		l := startListener(t, "BITVILLE_API_KEY_MY_SHOP="+contractKey, contracttest.LimitedKeys, "BITVILLE_AUTH_FAILURES_PER_MINUTE=5")
		contracttest.RunThrottled(t, overHTTP(t, l, 1), 5)
	})
	t.Run("HTTP/1.1", func(t *testing.T) {
		l := startListener(t, "BITVILLE_API_KEY_MY_SHOP="+contractKey, contracttest.LimitedKeys)
		requireRows(t, l.DBPath, contracttest.Run(t, overHTTP(t, l, 1)))
	})
	t.Run("on a libSQL server", func(t *testing.T) {
		server := libsqltest.Start(t)
		l := startListener(t, "BITVILLE_API_KEY_MY_SHOP="+contractKey, contracttest.LimitedKeys, "BITVILLE_DB_PATH=", "BITVILLE_DB_URL="+server.URL, "BITVILLE_READ_KEYS={\"*\":\""+contractReader.Key+"\"}")
		accepted := contracttest.Run(t, overHTTP(t, l, 1))
		contracttest.RunUnread(t, overHTTP(t, l, 1))
		require.Equal(t, [][]string{{contractProject, strconv.Itoa(accepted)}},
			server.Query(t, "SELECT project, count(*) FROM profiling_data GROUP BY project"))
	})
	if *deployedURL == "" {
		require.Empty(t, *deployedKey+*deployedPostgresURL+*deployedHealthURL, "-url is missing")
	} else {
		t.Run("deployed", func(t *testing.T) {
			require.NotEmpty(t, *deployedKey, "-key is missing")
			contracttest.Run(t, contracttest.Target{
				URL: strings.TrimSuffix(*deployedURL, "/"), Client: &http.Client{Timeout: time.Minute, Transport: byPath{}},
				Key: *deployedKey, Project: *deployedProject, Document: contracttest.Load(t),
				WithoutImports: *deployedPostgresURL != "", // functions, which are deployed when they are named
			})
		})
	}
}

// runReading holds the read side in the test's process against the document.
func runReading(t *testing.T, document *contracttest.Document) {
	db, path := sqlitetest.New(t)
	cfg, _, err := config.Load(append(readerEnv, "BITVILLE_API_KEY_MY_SHOP="+contractKey, "BITVILLE_DB_PATH="+path))
	require.NoError(t, err)
	serve := func(t *testing.T, store store.Writer) contracttest.Target {
		target := serveContract(t, newHandler(host.New(cfg, store, slog.New(slog.DiscardHandler), now, "", host.Unobserved)))
		target.Document = document
		return target
	}
	contracttest.RunReading(t, serve(t, db), contractReader)
	contracttest.RunReadingFailing(t, contractReader, func(t *testing.T, store contracttest.FailingStore) contracttest.Target { return serve(t, store) })
	cfg.AuthFailuresPerMinute = 5
	contracttest.RunReadingThrottled(t, serve(t, db), contractReader, cfg.AuthFailuresPerMinute)
}

// byPath sends each request to the function URL that has its path.
type byPath struct{}

func (byPath) RoundTrip(r *http.Request) (*http.Response, error) {
	other := ""
	switch {
	case strings.HasPrefix(r.URL.Path, "/ingest/postgres"):
		other = *deployedPostgresURL
	case strings.HasPrefix(r.URL.Path, "/health"), strings.HasPrefix(r.URL.Path, "/ready"):
		other = *deployedHealthURL
	}
	if other != "" {
		to, err := url.Parse(other)
		if err != nil {
			return nil, err
		}
		r = r.Clone(r.Context())
		r.URL.Scheme, r.URL.Host, r.Host = to.Scheme, to.Host, to.Host
	}
	return http.DefaultTransport.RoundTrip(r)
}

// serveContract serves a handler in the test's process.
func serveContract(t *testing.T, h http.Handler) contracttest.Target {
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return contracttest.Target{
		URL: srv.URL, Client: srv.Client(),
		Key: contractKey, Project: contractProject, Limited: contracttest.LimitedKey, Document: contracttest.Load(t),
	}
}

// overHTTP reaches a listener by one version of HTTP.
func overHTTP(t *testing.T, l *listener, version int) contracttest.Target {
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: l.Client.Transport.(*http.Transport).TLSClientConfig.RootCAs},
		Protocols:       new(http.Protocols),
	}
	transport.Protocols.SetHTTP1(version == 1)
	transport.Protocols.SetHTTP2(version == 2)
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: l.Client.Timeout}
	res, err := client.Get(l.URL + "/health")
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, version, res.ProtoMajor)
	return contracttest.Target{
		URL: l.URL, Client: client,
		Key: contractKey, Project: contractProject, Limited: contracttest.LimitedKey, Document: contracttest.Load(t),
	}
}

// requireRows counts what is stored against what the answers said, and that nothing of it is elsewhere.
func requireRows(t *testing.T, path string, accepted int) {
	require.Positive(t, accepted)
	require.Equal(t, [][]string{{contractProject, strconv.Itoa(accepted)}},
		sqlitetest.Query(t, path, "SELECT project, count(*) FROM profiling_data GROUP BY project"))
}
