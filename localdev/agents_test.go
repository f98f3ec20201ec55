package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
	"github.com/bitville/listener/localdev/postgrestest"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

// What the page reads. stock is PL/pgSQL because Postgres logs the statement inside it as one of its own,
// without the page's comment.
const shopSQL = `
CREATE TABLE products AS
	SELECT id, id % 3 AS category, 'Product ' || id AS name, 100 - id AS sold FROM generate_series(1, 9) AS id;
CREATE FUNCTION stock(product int) RETURNS int LANGUAGE plpgsql AS
	$$ BEGIN RETURN (SELECT sum(n) FROM generate_series(1, product) AS n); END $$;`

// TestRealAgents lets PHP pages and the log of a Postgres server be posted to the shipped binary, with the
// libraries and settings that sites use, and then asks for both halves of each request.
func TestRealAgents(t *testing.T) {
	requireAgents(t)
	pg := postgrestest.Start(t, "auto_explain.log_min_duration = 0")
	pg.SQL(t, shopSQL)
	l := startListener(t)

	// Category 1 holds the products 1, 4 and 7, category 2 holds 2, 5 and 8. The second id goes out as a
	// trace id, without dashes, on both sides.
	const (
		curlID    = "5e1f2b6c-0a4d-4c1e-9b7a-3f1d2c4b5a69"
		guzzleID  = "c0ffee00-c0ff-4e00-80ff-ee00c0ffee00"
		refusedID = "0badc0de-0bad-4bad-8bad-0badc0de0bad"
	)
	pages := []pageRequest{
		{client: "curl", id: curlID, uri: "/category/1"},
		{client: "guzzle", id: strings.ReplaceAll(guzzleID, "-", ""), uri: "/category/2?sort=name"},
	}
	for _, p := range pages {
		answer, err := p.run(t, l, pg)
		require.NoError(t, err, answer)
		require.JSONEq(t, `{"accepted":0,"duplicates":1,"rejected":[]}`, answer, "of the second POST")

		// A page whose profile is not taken ran its statements all the same: here under another id.
		p.id = refusedID
		answer, err = p.run(t, l, pg, "BITVILLE_KEY=not-"+listenertest.Key)
		require.ErrorContains(t, err, "exit status 1")
		require.Regexp(t, `^401 \{.*"error"`, answer)
		answer, err = p.run(t, l, pg, "BITVILLE_CA_FILE="+otherCertificate(t))
		require.Error(t, err, "the listener is not the one that the page trusts: %s", answer)
		require.Contains(t, answer, "certificate")
	}

	statements := readStatements(t, pg.Log(t))
	first, again := postStatements(t, l, statements), postStatements(t, l, statements)
	require.JSONEq(t, fmt.Sprintf(`{"accepted":%d,"duplicates":0,"rejected":[]}`, len(statements)), first)
	require.JSONEq(t, fmt.Sprintf(`{"accepted":0,"duplicates":%d,"rejected":[]}`, len(statements)), again)

	checkStatements(t, l, statements)
	checkXHProf(t, storedProfile(t, l, curlID))
	checkExcimer(t, storedProfile(t, l, guzzleID))
	checkJoined(t, l, curlID, "/category/1")
	checkJoined(t, l, guzzleID, "/category/2?sort=name")
	require.Empty(t, joined(t, l, refusedID), "no page is stored under this id")
}

// checkStatements compares each stored statement, its 64-bit query id among the rest, with what was sent.
func checkStatements(t *testing.T, l *listener, sent []statement) {
	var want [][]string
	for _, s := range sent {
		want = append(want, []string{s.SessionID, s.LogLine.String(), s.QueryID.String(), s.DurationMS.String(), s.Query})
	}
	require.ElementsMatch(t, want, sqlitetest.Query(t, l.DBPath, `
		SELECT attributes ->> 'session_id', attributes ->> 'log_line', attributes ->> 'query_id',
		       format('%.3f', duration_ms), name
		FROM profiling_data WHERE source = 'postgres_agent'`))
}

// storedProfile returns the profiling_data of the one PHP record of a request.
func storedProfile(t *testing.T, l *listener, id string) []byte {
	rows := sqlitetest.Query(t, l.DBPath,
		`SELECT payload FROM profiling_data WHERE correlation_id = ? AND source = 'php_agent'`, id)
	require.Len(t, rows, 1)
	return []byte(rows[0][0])
}

func checkXHProf(t *testing.T, profile []byte) {
	var edges map[string]struct{ CT, WT int }
	require.NoError(t, json.Unmarshal(profile, &edges), "%s", profile)
	for edge, calls := range map[string]int{
		"showCategory":                           1,
		"showCategory==>findStock":               3,
		"findStock==>Database::rows":             3,
		"showCategory==>bestseller":              1,
		"Database::rows==>PDOStatement::execute": 5,
	} {
		require.Equal(t, calls, edges[edge].CT, edge)
	}
	require.GreaterOrEqual(t, edges["showCategory==>bestseller"].WT, 25_000, "microseconds: it sleeps for 30 ms")
}

// checkExcimer reads collapsed stacks: a line each, frames between semicolons, then the number of samples.
func checkExcimer(t *testing.T, profile []byte) {
	var excimer struct{ Format, Stacks string }
	require.NoError(t, json.Unmarshal(profile, &excimer), "%s", profile)
	require.Equal(t, "collapsed", excimer.Format)
	samples := 0
	for line := range strings.Lines(excimer.Stacks) {
		stack := regexp.MustCompile(`^(.+) (\d+)\n?$`).FindStringSubmatch(line)
		require.NotNil(t, stack, line)
		require.Contains(t, stack[1], "page.php")
		if strings.Contains(stack[1], ";showCategory;bestseller;Database::rows") {
			count, err := strconv.Atoi(stack[2])
			require.NoError(t, err)
			samples += count
		}
	}
	require.GreaterOrEqual(t, samples, 20, "one a millisecond, and it sleeps for 30:\n%s", excimer.Stacks)
}

func joined(t *testing.T, l *listener, id string) [][]string {
	query, err := os.ReadFile("../testdata/agents/joined.sql")
	require.NoError(t, err)
	for _, step := range sqlitetest.Query(t, l.DBPath, "EXPLAIN QUERY PLAN "+string(query), id) {
		require.NotRegexp(t, `SCAN profiling_data$|SCAN c$|\(source`, step[3], "both halves are found by their id, not read through")
	}
	return sqlitetest.Query(t, l.DBPath, string(query), id)
}

// checkJoined expects the page's statements in their order, each beside the page that caused it.
func checkJoined(t *testing.T, l *listener, id, uri string) {
	want := []string{"SELECT id, name FROM products WHERE category = $1 ORDER BY id"}
	for range 3 {
		want = append(want, "(SELECT sum(n) FROM generate_series(1, product) AS n)", "SELECT stock($1)")
	}
	want = append(want, "SELECT name, pg_sleep(0.03) FROM products ORDER BY sold DESC LIMIT 1")

	var queries []string
	var request, slowest float64
	for _, row := range joined(t, l, id) {
		require.Equal(t, uri, row[0])
		queries = append(queries, row[2])
		ms, err := strconv.ParseFloat(row[3], 64)
		require.NoError(t, err)
		slowest = max(slowest, ms)
		request, err = strconv.ParseFloat(row[1], 64)
		require.NoError(t, err)
	}
	require.Equal(t, want, queries)
	require.GreaterOrEqual(t, slowest, 25.0, "the one that sleeps for 30 ms")
	require.Greater(t, request, slowest, "a page takes longer than any of its statements")
	require.Equal(t, [][]string{{"5", "5"}}, sqlitetest.Query(t, l.DBPath, `
		SELECT attributes ->> 'queries', (SELECT count(*) FROM profiling_data
			WHERE correlation_id = ?1 AND source = 'postgres_agent' AND attributes ->> 'nested' IS NULL)
		FROM profiling_data WHERE correlation_id = ?1 AND source = 'php_agent'`, id),
		"what the page counted beside what was logged, without the statements inside of its own")
}

type pageRequest struct{ client, id, uri string }

// run runs the page, which sends its record twice. settings replace the usual ones.
func (p pageRequest) run(t *testing.T, l *listener, pg *postgrestest.Server, settings ...string) (string, error) {
	cmd := exec.CommandContext(t.Context(), "php", "../testdata/agents/page.php", p.client, "--twice")
	// Nothing else of the machine's environment: a proxy set there would not reach the listener.
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"),
		"BITVILLE_URL=" + l.URL, "BITVILLE_KEY=" + listenertest.Key, "BITVILLE_CA_FILE=" + l.CAFile, "BITVILLE_PROJECT=shop",
		"DATABASE_DSN=pgsql:user=postgres;dbname=postgres;host=" + pg.Dir,
		"CORRELATION_ID=" + p.id, "REQUEST_URI=" + p.uri,
	}, settings...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// otherCertificate returns a certificate file that the listener's does not come from.
func otherCertificate(t *testing.T) string {
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	defer srv.Close()
	path := filepath.Join(t.TempDir(), "other.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(block), 0o600))
	return path
}

// statement is one record. Numbers stay as they were logged: a query id does not fit a float, and 0.000
// means measured, not unknown.
type statement struct {
	Project       string          `json:"project"`
	CorrelationID string          `json:"correlation_id"`
	Timestamp     json.Number     `json:"timestamp"`
	DurationMS    json.Number     `json:"duration_ms"`
	Query         string          `json:"query"`
	Database      string          `json:"database"`
	QueryID       json.Number     `json:"query_id"`
	SessionID     string          `json:"session_id"` // with LogLine: equal statements are two records
	LogLine       json.Number     `json:"log_line"`
	Nested        bool            `json:"nested,omitempty"`
	Plan          json.RawMessage `json:"profiling_data"`
}

var (
	planMessage = regexp.MustCompile(`(?s)^duration: ([0-9.]+) ms  plan:\n(\{.*\})$`)
	correlation = regexp.MustCompile(`^/\*correlation_id='([0-9A-Fa-f-]+)'\*/\s*`)
)

// readStatements is the first half of a Postgres agent: it takes the statements out of a jsonlog. One inside
// a function is logged without the comment of the statement that called it, and before that one: it waits,
// by session, for its id.
func readStatements(t *testing.T, log []byte) []statement {
	var out []statement
	waiting := map[string][]statement{}
	for line := range bytes.Lines(log) {
		var entry struct {
			Timestamp string
			Database  string      `json:"dbname"`
			SessionID string      `json:"session_id"`
			LineNum   json.Number `json:"line_num"`
			Message   string
			Context   string      // where it was called from: set for nested statements only
			QueryID   json.Number `json:"query_id"`
		}
		require.NoError(t, json.Unmarshal(line, &entry), "%s", line)
		message := planMessage.FindStringSubmatch(entry.Message)
		if message == nil {
			continue
		}
		var plan struct {
			Query string `json:"Query Text"`
		}
		require.NoError(t, json.Unmarshal([]byte(message[2]), &plan))
		at, err := time.Parse("2006-01-02 15:04:05.999 MST", entry.Timestamp)
		require.NoError(t, err)
		s := statement{
			Project:    "shop",
			Timestamp:  json.Number(fmt.Sprintf("%d.%03d", at.Unix(), at.Nanosecond()/1e6)),
			DurationMS: json.Number(message[1]),
			Query:      plan.Query, Database: entry.Database, QueryID: entry.QueryID,
			SessionID: entry.SessionID, LogLine: entry.LineNum, Nested: entry.Context != "",
			Plan: json.RawMessage(message[2]),
		}
		comment := correlation.FindStringSubmatch(s.Query)
		switch {
		case comment != nil:
			s.Query = strings.TrimPrefix(s.Query, comment[0])
			for _, s := range append(waiting[s.SessionID], s) {
				s.CorrelationID = comment[1]
				out = append(out, s)
			}
			delete(waiting, s.SessionID)
		case s.Nested:
			waiting[s.SessionID] = append(waiting[s.SessionID], s)
		default: // no page's statement
			delete(waiting, s.SessionID)
		}
	}
	return out
}

// postStatements is its second half: it sends them as NDJSON and returns the answer.
func postStatements(t *testing.T, l *listener, statements []statement) string {
	var body bytes.Buffer
	lines := json.NewEncoder(&body)
	lines.SetEscapeHTML(false) // a plan's < and > stay as they are
	for _, s := range statements {
		require.NoError(t, lines.Encode(s))
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, l.URL+"/ingest/postgres", &body)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+listenertest.Key)
	req.Header.Set("Content-Type", "application/x-ndjson")
	res, err := l.Client.Do(req) // which trusts the listener's certificate and no other
	require.NoError(t, err)
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode, "%s", answer)
	return string(answer)
}

// requireAgents skips the test on a machine without PHP and Postgres, except in CI, where nothing may be
// left out.
func requireAgents(t *testing.T) {
	const check = `foreach (['curl', 'pdo_pgsql', 'tideways_xhprof', 'excimer'] as $e) extension_loaded($e) || exit("no PHP extension $e");
		is_file('/usr/share/php/GuzzleHttp/autoload.php') || exit('no Guzzle');`
	out, err := exec.Command("php", "-r", check).CombinedOutput()
	if err == nil && len(out) == 0 {
		err = postgrestest.Command("postgres").Err
	}
	if err == nil && len(out) == 0 {
		return
	}
	message := fmt.Sprintf("needs PHP and PostgreSQL 15, run: sudo bash testdata/tools/install.sh php postgres (%s %v)", out, err)
	if os.Getenv("CI") == "true" {
		t.Fatal(message)
	}
	t.Skip(message)
}
