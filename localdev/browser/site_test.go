// Package browser has the tests of the read side's pages in a real Chromium: the listener is the built one, its records
// are those of real profilers.
package browser

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
)

var binary string // the built listener, made once for all tests

func TestMain(m *testing.M) { os.Exit(listenertest.Main(m, &binary)) }

const (
	root    = "../../"
	readKey = "read-key-of-the-browser"

	home     = "4885beed-83e7-4a5d-8f3d-285bfe828ecc" // of batch.ndjson: 41 % is the gap
	product  = "e8673bf2-8014-425e-8dcd-18f64f8c3668" // of batch.ndjson: one statement seven times
	xhprof   = "7424c218-385f-4360-ab04-775f2d76d758" // 1,198 edges, no statement came
	sampled  = "f28e7357-be83-4518-b7de-2d0c4b7ad818" // Excimer's samples
	slow     = "5107a9e0-0000-4000-8000-000000000001" // made of sampled and every statement that there is
	unpaged  = "d9f75db6-ee27-4454-af55-e0a5609b5797" // a statement without its page
	nowhere  = "22222222-2222-4222-8222-222222222222"
	repeated = 200 // times that slow runs one statement
)

// axe is the script of axe-core.
var axe = filepath.Join(root, ".tools/axe-core@4.14.1/node_modules/axe-core/axe.min.js")

// chromium returns where the browser is, and skips the test where there is none, except in CI, where nothing may be left out.
func chromium(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("chromium-headless-shell")
	if err == nil {
		_, err = os.Stat(axe)
	}
	if err != nil {
		message := "SKIP: needs Chromium and axe-core, run: sudo bash testdata/tools/install.sh chromium (" + err.Error() + ")"
		if os.Getenv("CI") == "true" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	return path
}

// start returns a listener that shows what it has to readKey.
func start(t testing.TB, env ...string) *listenertest.Listener {
	t.Helper()
	l := listenertest.New(t, binary, "")
	l.Start(t, append([]string{"BITVILLE_READ_KEY_SHOP=" + readKey, "BITVILLE_READ_KEYS={\"*\":\"read-key-of-everything\"}"}, env...)...)
	return l
}

// fingerprint is of the listener's certificate, as Chromium is told to trust it.
func fingerprint(t testing.TB, l *listenertest.Listener) string {
	t.Helper()
	file, err := os.ReadFile(l.CAFile)
	require.NoError(t, err)
	block, _ := pem.Decode(file)
	require.NotNil(t, block)
	cert, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// fields are a record as it is sent.
type fields map[string]json.RawMessage

func value(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

func (f fields) with(pairs ...any) fields {
	g := fields{}
	for name, v := range f {
		g[name] = v
	}
	for i := 0; i < len(pairs); i += 2 {
		g[pairs[i].(string)] = value(pairs[i+1])
	}
	return g
}

func (f fields) number(t testing.TB, name string) (x float64) {
	t.Helper()
	require.NoError(t, json.Unmarshal(f[name], &x))
	return x
}

func (f fields) text(name string) (s string) {
	_ = json.Unmarshal(f[name], &s)
	return s
}

// payload returns the records of a file of testdata/payloads.
func payload(t testing.TB, name string) (all []fields) {
	t.Helper()
	raw, err := os.ReadFile(root + "testdata/payloads/" + name)
	require.NoError(t, err)
	if strings.HasSuffix(name, ".gz") {
		r, err := gzip.NewReader(bytes.NewReader(raw))
		require.NoError(t, err)
		raw, err = io.ReadAll(r)
		require.NoError(t, err)
	}
	for decoder := json.NewDecoder(bytes.NewReader(raw)); decoder.More(); {
		var one json.RawMessage
		require.NoError(t, decoder.Decode(&one))
		if one[0] == '[' {
			var list []fields
			require.NoError(t, json.Unmarshal(one, &list))
			all = append(all, list...)
			continue
		}
		var f fields
		require.NoError(t, json.Unmarshal(one, &f))
		all = append(all, f)
	}
	return all
}

// real returns the records of real profilers, and one slow request that is made of them. All are of the last minutes.
func real(t testing.TB, now time.Time) []fields {
	t.Helper()
	all := payload(t, "batch.ndjson")
	statement := all[4]
	require.Contains(t, statement.text("query"), "WHERE p.id = $1")
	page := payload(t, "php-excimer-speedscope.json")[0]
	plans := payload(t, "postgres-auto-explain.json")
	all = append(all, page, payload(t, "php-xhprof-large.json.gz")[0], plans[0])

	at := page.number(t, "timestamp")
	all = append(all, page.with("correlation_id", slow, "timestamp", at, "duration_ms", 1843.2, "queries", repeated+7, "db_ms", 1310.4,
		"request_uri", "/checkout?step=2&session=abc123", "route", "checkout", "api_token", "0123456789"))
	for i, p := range plans[1:11] {
		all = append(all, p.with("correlation_id", slow, "timestamp", at+0.2+p.number(t, "timestamp")-plans[1].number(t, "timestamp"), "log_line", i))
	}
	for i := range repeated {
		all = append(all, statement.with("correlation_id", slow, "timestamp", at+1.1+0.003*float64(i), "log_line", 100+i))
	}
	shift := float64(now.Unix()-300) - at
	for i, f := range all {
		all[i] = f.with("timestamp", f.number(t, "timestamp")+shift)
	}
	return all
}

// send posts records to the two ingest routes.
func send(t testing.TB, l *listenertest.Listener, all []fields) {
	t.Helper()
	bodies := map[string]*bytes.Buffer{"/ingest/php": {}, "/ingest/postgres": {}}
	for _, f := range all {
		path := "/ingest/postgres"
		if f["request_uri"] != nil {
			path = "/ingest/php"
		}
		bodies[path].Write(append(value(f), '\n'))
	}
	for path, body := range bodies {
		if body.Len() == 0 {
			continue
		}
		var zipped bytes.Buffer
		w := gzip.NewWriter(&zipped)
		_, err := body.WriteTo(w)
		require.NoError(t, errors.Join(err, w.Close()))
		req, err := http.NewRequest(http.MethodPost, l.URL+path, &zipped)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+l.Key)
		req.Header.Set("Content-Type", "application/x-ndjson")
		req.Header.Set("Content-Encoding", "gzip")
		resp, err := l.Client.Do(req)
		require.NoError(t, err)
		answer, err := io.ReadAll(resp.Body)
		require.NoError(t, errors.Join(err, resp.Body.Close()))
		require.Equal(t, http.StatusOK, resp.StatusCode, "%s", answer)
		require.Contains(t, string(answer), `"rejected":[]`)
	}
}
