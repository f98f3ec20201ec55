package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
	"github.com/bitville/listener/shared/lambdahost/functiontest"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store/libsql/libsqltest"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

// otelClient is one of OpenTelemetry's SDKs, with a site that it instruments in testdata/agents.
type otelClient struct {
	name    string
	command []string
	env     []string
	caFile  string // the variable that names the certificate to trust
}

func otelClients(t *testing.T) []otelClient {
	tools, err := filepath.Abs("../.tools")
	require.NoError(t, err)
	python := otelClient{"python", []string{tools + "/otelpython/bin/python", "../testdata/agents/otel.py"}, nil, "OTEL_EXPORTER_OTLP_CERTIFICATE"}
	js := otelClient{"js", []string{"node", "../testdata/agents/otel.js"}, []string{"NODE_PATH=" + tools + "/oteljs/node_modules"}, "NODE_EXTRA_CA_CERTS"}
	err = postgresCommand("postgres").Err
	for _, needed := range []string{python.command[0], tools + "/oteljs/node_modules/pg"} {
		if err == nil {
			_, err = os.Stat(needed)
		}
	}
	if err != nil {
		message := "needs OpenTelemetry's SDKs and PostgreSQL 15, run: sudo bash testdata/tools/install.sh otelpython oteljs postgres (" + err.Error() + ")"
		if os.Getenv("CI") == "true" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	return []otelClient{python, js}
}

// run has the site answer a request, and returns the trace's id as a UUID, and what the client complained of.
func (c otelClient) run(t *testing.T, pg *postgres, form, endpoint string, env ...string) (id, said string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.command[0], append(c.command[1:], form, pg.dir)...)
	// REQUESTS_CA_BUNDLE would win over the certificate that is set.
	cmd.Env = append(append(cmd.Environ(), "REQUESTS_CA_BUNDLE=", "CURL_CA_BUNDLE=", "OTEL_SERVICE_NAME=shop", "OTEL_EXPORTER_OTLP_ENDPOINT="+endpoint), append(c.env, env...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "%s", stderr.String())
	id, ok := record.CorrelationID(strings.TrimSpace(string(out)))
	require.True(t, ok, "%s%s", out, stderr.String())
	return id, stderr.String()
}

// requireTrace holds what is stored of a request against what the site did.
func requireTrace(t *testing.T, client, id string, query func(statement string) [][]string) {
	t.Helper()
	rows := query("SELECT source, name, attributes FROM profiling_data WHERE correlation_id = unhex(replace('" + id + "','-','')) OR correlation_id = '" + id + "' ORDER BY name")
	require.Len(t, rows, 3, "%s", id)
	first := map[string]string{"python": "SELECT 41 + %s", "js": "SELECT 41 + $1::int"}[client]
	require.Equal(t, []string{"php_agent", "/things/42?token="}, rows[0][:2])
	require.Equal(t, []string{"postgres_agent", "SELECT 'a secret'"}, rows[1][:2])
	require.Equal(t, []string{"postgres_agent", first}, rows[2][:2])
	var page, statement struct {
		Dialect, Method, Service string
		Status                   int
		SpanID                   string `json:"span_id"`
		Parent                   string `json:"parent_span_id"`
		ObservedBy               string `json:"observed_by"`
	}
	require.NoError(t, json.Unmarshal([]byte(rows[0][2]), &page))
	require.Equal(t, []any{"otlp", "GET", "shop", 200}, []any{page.Dialect, page.Method, page.Service, page.Status})
	require.NoError(t, json.Unmarshal([]byte(rows[1][2]), &statement))
	require.Equal(t, []string{"otlp", "client", page.SpanID}, []string{statement.Dialect, statement.ObservedBy, statement.Parent})
}

// TestOpenTelemetry runs real SDKs with both of their formats against the listener and against its function.
func TestOpenTelemetry(t *testing.T) {
	clients := otelClients(t)
	pg := startPostgres(t)
	key := "Authorization=Bearer%20" + listenertest.Key
	forms := []struct{ form, compression string }{{"protobuf", "gzip"}, {"protobuf", "none"}, {"json", "gzip"}, {"json", "none"}}

	t.Run("process", func(t *testing.T) {
		l := startListener(t)
		for _, c := range clients {
			for i, f := range forms {
				env := []string{"OTEL_EXPORTER_OTLP_COMPRESSION=" + f.compression, c.caFile + "=" + l.CAFile}
				endpoint := l.URL
				if i%2 == 0 {
					env = append(env, "OTEL_EXPORTER_OTLP_HEADERS="+key)
				} else {
					endpoint += "/k/" + listenertest.Key
				}
				id, said := c.run(t, pg, f.form, endpoint, env...)
				require.Empty(t, said)
				requireTrace(t, c.name, id, func(statement string) [][]string { return sqlitetest.Query(t, l.DBPath, statement) })
			}
		}
		require.NotContains(t, l.Log.String(), listenertest.Key)
	})

	t.Run("function", func(t *testing.T) {
		db := libsqltest.Start(t)
		function := httptest.NewServer(otelFunction(t, db.URL))
		defer function.Close()
		for _, c := range clients {
			for _, f := range forms {
				id, said := c.run(t, pg, f.form, function.URL, "OTEL_EXPORTER_OTLP_COMPRESSION="+f.compression, "OTEL_EXPORTER_OTLP_HEADERS="+key)
				require.Empty(t, said)
				requireTrace(t, c.name, id, func(statement string) [][]string { return db.Query(t, statement) })
			}
		}
	})
}

// otelFunction builds importotlp's bootstrap and runs it.
func otelFunction(t *testing.T, database string) *functiontest.Runtime {
	bootstrap := filepath.Join(t.TempDir(), "bootstrap")
	build := exec.Command("go", "build", "-trimpath", "-tags", "lambda.norpc", "-o", bootstrap, "../functions/importotlp/lambda")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return functiontest.Start(t, functiontest.Config{Bootstrap: bootstrap, Env: []string{"BITVILLE_DB_URL=" + database, "BITVILLE_API_KEY_SHOP=" + listenertest.Key}})
}

// TestOpenTelemetryRetries: the SDKs send again what was answered 503, whether or not it was stored, and it is stored once.
func TestOpenTelemetryRetries(t *testing.T) {
	clients := otelClients(t)
	pg := startPostgres(t)
	l := startListener(t)
	target, err := url.Parse(l.URL)
	require.NoError(t, err)
	var sent atomic.Int32
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: l.Client.Transport,
		ModifyResponse: func(res *http.Response) error {
			if sent.Load() == 2 { // the answer is lost, not the spans
				res.StatusCode, res.Body, res.ContentLength, res.Header = 503, io.NopCloser(strings.NewReader("")), 0, http.Header{}
			}
			return nil
		},
	}
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if sent.Add(1) == 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	defer busy.Close()
	for _, c := range clients {
		for _, form := range []string{"protobuf", "json"} {
			sent.Store(0)
			id, said := c.run(t, pg, form, busy.URL, "OTEL_EXPORTER_OTLP_HEADERS=Authorization=Bearer%20"+listenertest.Key)
			require.EqualValues(t, 3, sent.Load(), "%s %s: %s", c.name, form, said)
			requireTrace(t, c.name, id, func(statement string) [][]string { return sqlitetest.Query(t, l.DBPath, statement) })
		}
	}
}
