// Package functions_test runs the functions as AWS Lambda does: the built bootstraps under a runtime API, with a
// libSQL server behind them.
package functions_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/bitville/listener/functions"
	"github.com/bitville/listener/shared/lambdahost/functiontest"
)

const (
	project = "my_shop" // a name that can be spelled with "-" and "."
	key     = "function-key-0123456789"
	keyVar  = "BITVILLE_API_KEY_MY_SHOP=" + key
	version = "v0.0.0-test"
)

// programs is the folder of the built bootstraps, made once for all tests.
var programs string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "functions")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		programs = dir
		sources := map[string]string{"hello": "../testdata/peers/lambdahello"}
		for _, f := range functions.OnLambda() {
			sources[f.Name] = "./" + f.Name + "/lambda"
		}
		for name, source := range sources {
			// As the Makefile builds them, but for this machine.
			build := exec.Command("go", "build", "-trimpath", "-tags", "lambda.norpc", "-ldflags", "-s -w -X main.version="+version, "-o", program(name), source)
			build.Env = append(build.Environ(), "CGO_ENABLED=0", "GOOS=", "GOARCH=")
			build.Stderr = os.Stderr
			if err := build.Run(); err != nil {
				panic("build " + source + ": " + err.Error())
			}
		}
		code := 0
		goleak.VerifyTestMain(m, goleak.Cleanup(func(exit int) { code = exit }))
		return code
	}())
}

func program(name string) string { return filepath.Join(programs, name) }

// start runs a function on a database, with a key for the functions that ask for one. Further settings are NAME=value.
func start(t testing.TB, name, database string, settings ...string) *functiontest.Runtime {
	t.Helper()
	return functiontest.Start(t, config(name, database, settings...))
}

func config(name, database string, settings ...string) functiontest.Config {
	env := append([]string{"BITVILLE_DB_URL=" + database}, settings...)
	if slices.ContainsFunc(functions.OnLambda(), func(f functions.Function) bool { return f.Name == name && f.Needs.Keys }) {
		env = append(env, keyVar)
	}
	return functiontest.Config{Bootstrap: program(name), Env: env}
}

// phpRecord is one of a PHP agent. Two numbers make two records.
func phpRecord(n int) string {
	return fmt.Sprintf(`{"project":"my_shop","correlation_id":"0000000000004000%016x","timestamp":%d,"duration_ms":1.5,"request_uri":"/cart","profiling_data":{"main()":{"ct":1,"wt":9120}}}`,
		n, time.Now().Unix())
}

// send sends a request to a function's URL.
func send(t testing.TB, url http.Handler, route, body string) *http.Response {
	t.Helper()
	method, path, _ := strings.Cut(route, " ")
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	url.ServeHTTP(w, r)
	return w.Result()
}

// post sends a record, or an array of them.
func post(t testing.TB, url http.Handler, body string) *http.Response {
	t.Helper()
	return send(t, url, "POST /ingest/php", body)
}

func text(t testing.TB, res *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(body)
}

// requireAccepted expects the answer to records that were stored now.
func requireAccepted(t testing.TB, n int, res *http.Response) {
	t.Helper()
	answer := text(t, res)
	require.Equal(t, http.StatusOK, res.StatusCode, answer)
	require.JSONEq(t, fmt.Sprintf(`{"accepted":%d,"duplicates":0,"rejected":[]}`, n), answer)
}

// requireLater expects the answer to records that cannot be stored now.
func requireLater(t testing.TB, res *http.Response) {
	t.Helper()
	answer := text(t, res)
	require.Equal(t, http.StatusServiceUnavailable, res.StatusCode, answer)
	require.NotEmpty(t, res.Header.Get("Retry-After"))
	require.NotEmpty(t, res.Header.Get("X-Request-Id"))
	require.Contains(t, answer, `"error":"Not stored: `)
}

// lines are the log's lines, each of which must be JSON.
func lines(t testing.TB, f *functiontest.Runtime) (all []map[string]any) {
	t.Helper()
	for line := range strings.Lines(f.Log(t)) {
		var fields map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &fields), line)
		all = append(all, fields)
	}
	return all
}

// event reads a recorded event.
func event(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("../testdata/events/" + name + ".json")
	require.NoError(t, err)
	return bytes.TrimSpace(data)
}
