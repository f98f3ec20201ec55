package contracttest

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Reader is how the records of a target's project are read.
type Reader struct {
	Key          string // a read key of that project alone
	OtherProject string // another project of the listener
	OtherKey     string // an API key of it
}

// What testdata/payloads/batch.ndjson has.
const (
	product    = "e8673bf2-8014-425e-8dcd-18f64f8c3668"
	productKey = "e5800c178338e86c"
	selectKey  = "q-4809347790509537418"
)

// readPages are the pages, one for each path of the document.
var readPages = []string{
	"/traces/", "/traces/{project}", "/traces/{project}/requests", "/traces/{project}/routes", "/traces/{project}/routes/" + productKey,
	"/traces/{project}/statements", "/traces/{project}/statements/" + selectKey, "/traces/{project}/" + product,
	"/traces/{project}/" + product + "/profile", "/traces/{project}/" + product + "/plan/2",
}

var (
	readKey = map[string]string{"Authorization": "Bearer {key:read}"}
	browser = map[string]string{"Authorization": "Bearer {key:read}", "Accept": htmlType}
)

// hush stands in records where literals and secrets do. No answer has it, unless the listener is to show values.
const hush = "hush-7f3a91"

const htmlType = "text/html,application/xhtml+xml,*/*;q=0.8"

// RunReading posts records to a listener that has the read side, reads them, and returns how many it stored.
func RunReading(t *testing.T, target Target, reader Reader) (accepted int) {
	r := newRun(target)
	r.reader = reader
	return r.groups(t,
		group{"records to read", recordsToRead(t)},
		group{"pages", pages()},
		group{"pages of other records", pagesOfOthers()},
		group{"who reads", readers()},
		group{"another project", anotherProject()},
		group{"parameters", parameters()},
		group{"elsewhere", elsewhere()},
		group{"log in and out", sessions()},
		group{"methods of pages", methodsOfPages()},
	)
}

// RunUnread holds a listener without read keys, or without a database that is a file, to have no read side at all. Its API key, and any other, reads
// nothing.
func RunUnread(t *testing.T, target Target) {
	cases := []Case{
		{Name: "the form", Route: "GET /traces/login", Header: noKey, Status: 404},
		{Name: "log in", Route: "POST /traces/login", Header: noKey, Body: "key={key}", Status: 404},
		{Name: "log out", Route: "POST /traces/logout", Header: noKey, Status: 404},
		{Name: "log out by a link", Route: "GET /traces/logout", Header: noKey, Status: 404},
		{Name: "no slash", Route: "GET /traces", Header: noKey, Status: 404},
	}
	for _, page := range readPages {
		for name, header := range map[string]map[string]string{"no key": noKey, "an API key": {}, "a browser": {"Authorization": "", "Accept": htmlType}} {
			cases = append(cases, Case{Name: page + ", " + name, Route: "GET " + page + "?key={key}", Header: header, Status: 404, Answer: failure("Not found")})
		}
	}
	newRun(target).groups(t, group{"nothing to read", cases})
}

var aTime = regexp.MustCompile(`("timestamp": ?)([0-9.]+)`)

// recent moves the times of records that were written down, so that the last began three minutes ago: then nothing of them
// is awaited any more.
func recent(t testing.TB, records string) string {
	latest := 0.0
	seconds := func(text string) float64 {
		s, err := strconv.ParseFloat(text, 64)
		require.NoError(t, err)
		return s
	}
	for _, found := range aTime.FindAllStringSubmatch(records, -1) {
		latest = max(latest, seconds(found[2]))
	}
	records = aTime.ReplaceAllStringFunc(records, func(text string) string {
		found := aTime.FindStringSubmatch(text)
		whole, fraction, _ := strings.Cut(fmt.Sprintf("%.6f", latest-seconds(found[2])), ".")
		before, err := strconv.Atoi(whole)
		require.NoError(t, err)
		micros, err := strconv.Atoi(fraction)
		require.NoError(t, err)
		return fmt.Sprintf("%s{now-%d}.%06d", found[1], before+181, 999_999-micros)
	})
	return aProject.ReplaceAllString(records, `"project":"{project}"`)
}

func recordsToRead(t testing.TB) []Case {
	read := func(name string) string {
		data, err := os.ReadFile(repositoryFile(t, "testdata/payloads/"+name))
		require.NoError(t, err)
		return string(data)
	}
	id := regexp.MustCompile(`"correlation_id": ?"[^"]+"`)
	named := func(name, record string) string {
		return id.ReplaceAllString(current(record), `"correlation_id":"{uuid:`+name+`}"`)
	}
	ndjson := map[string]string{"Content-Type": "application/x-ndjson"}
	batch := recent(t, read("batch.ndjson"))
	at := func(name string) []string { return []string{"correlation_id", `"{uuid:` + name + `}"`} }
	return []Case{
		{Name: "requests", Header: ndjson, Body: batch, Status: 200},
		{Name: "statements", Route: postgresRoute, Header: ndjson, Body: batch, Status: 200},
		{Name: "statistics", Route: postgresRoute, Body: current(read("postgres-pg-stat-statements.json")), Status: 200, Answer: accepted(15)},
		{Name: "samples", Body: named("samples", read("php-excimer-speedscope.json")), Status: 200, Answer: accepted(1)},
		{Name: "stacks", Body: named("stacks", read("php-excimer-collapsed.json")), Status: 200, Answer: accepted(1)},
		{Name: "spans", Body: php(append(at("spans"), "request_uri", `"/login?token=`+hush+`"`, "password", `"`+hush+`"`, "profiling_data", `{"spans":[{"id":"1","name":"GET /","start":1,"end":90},{"id":"2","parent":"1","name":"SELECT '`+hush+`'","start":9,"end":30}]}`)...), Status: 200, Answer: accepted(1)},
		{Name: "a statement with literals", Route: postgresRoute, Body: postgres(append(at("spans"), "query", `"SELECT * FROM t WHERE a = '`+hush+`'"`, "profiling_data",
			`{"Query Text":"SELECT '`+hush+`'","Plan":{"Node Type":"Seq Scan","Relation Name":"t","Filter":"(a = '`+hush+`'::text)","Actual Rows":1,"Actual Loops":1,"Actual Total Time":1}}`)...), Status: 200, Answer: accepted(1)},
		{Name: "no profile, no duration", Body: php(append(at("nothing"), "duration_ms", "null", "profiling_data", "{}")...), Status: 200, Answer: accepted(1)},
		{Name: "an unknown profile", Body: php(append(at("unknown"), "profiling_data", `{"a":[{"b":null}]}`)...), Status: 200, Answer: accepted(1)},
		{Name: "no plan, and it failed", Route: postgresRoute, Body: postgres(append(at("no-plan"), "duration_ms", "null", "profiling_data", `{"Plan":[]}`, "error", `"no relation `+hush+`"`, "sql_error_code", `"42P01"`)...), Status: 200, Answer: accepted(1)},
		{Name: "two requests under one id", Body: array(php(at("twice")...), php(append(at("twice"), "duration_ms", "3")...)), Status: 200, Answer: accepted(2)},
		{Name: "the id of another project", Header: map[string]string{"Authorization": "Bearer {key:other}"}, Body: php("project", `"{project:other}"`, "correlation_id", `"{uuid:theirs}"`), Status: 200, Answer: accepted(1)},
	}
}

// pages asks for each as a program does and as a browser does.
func pages() []Case {
	asJSON, asHTML := map[string]string{"Content-Type": "application/json"}, map[string]string{"Content-Type": "text/html; charset=utf-8"}
	var cases []Case
	for _, page := range readPages {
		cases = append(cases,
			Case{Name: page, Route: "GET " + page, Header: readKey, Status: 200, Returns: asJSON},
			Case{Name: page + ".json", Route: "GET " + page + ".json", Header: browser, Status: 200, Returns: asJSON})
		if page != "/traces/" { // the key sees one project alone
			cases = append(cases, Case{Name: page + ", HTML", Route: "GET " + page, Header: browser, Status: 200, Returns: asHTML})
		}
	}
	return append(cases,
		Case{Name: "the key's project alone", Route: "GET /traces/", Header: readKey, Status: 200,
			Answer: `{"projects":[{"project":"{project}","requests":"{any}","statements":"{any}","both_halves":"{any}"}]}`},
		Case{Name: "no requests", Route: "GET /traces/{project}/requests?route=nothing", Header: readKey, Status: 200,
			Answer: `{"project":"{project}","from":"{any}","to":"{any}","route_key":"{any}","exact":true,"requests":[]}`},
		Case{Name: "a long span", Route: "GET /traces/{project}/requests?since=7d&limit=500", Header: readKey, Status: 200},
		Case{Name: "one row", Route: "GET /traces/{project}/statements?since=2h&limit=1", Header: readKey, Status: 200},
		Case{Name: "a function", Route: "GET /traces/{project}/" + product + "/profile?function=2", Header: readKey, Status: 200})
}

// pagesOfOthers are of halves, and of what is no profile and no plan.
func pagesOfOthers() []Case {
	var cases []Case
	for _, id := range []string{"samples", "stacks", "spans", "nothing", "unknown", "twice"} {
		for _, page := range []string{"", "/profile", "/profile?function=1"} {
			c := Case{Name: id + page, Route: "GET /traces/{project}/{uuid:" + id + "}" + page, Header: readKey, Status: 200}
			if page == "/profile?function=1" && slices.Contains([]string{"spans", "nothing", "unknown"}, id) {
				c.Status = 404
			}
			cases = append(cases, c)
		}
	}
	return append(cases,
		Case{Name: "a plan with literals", Route: "GET /traces/{project}/{uuid:spans}/plan/1", Header: readKey, Status: 200},
		Case{Name: "its HTML", Route: "GET /traces/{project}/{uuid:spans}/plan/1", Header: browser, Status: 200},
		Case{Name: "its look as HTML", Route: "GET /traces/{project}/{uuid:spans}", Header: browser, Status: 200},
		Case{Name: "a statement alone", Route: "GET /traces/{project}/{uuid:no-plan}", Header: readKey, Status: 200},
		Case{Name: "its plan", Route: "GET /traces/{project}/{uuid:no-plan}/plan/1", Header: readKey, Status: 200},
		Case{Name: "its page", Route: "GET /traces/{project}/{uuid:no-plan}/profile", Header: readKey, Status: 404})
}
