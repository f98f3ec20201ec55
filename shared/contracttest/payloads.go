package contracttest

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	aTimestamp = regexp.MustCompile(`"timestamp": ?[0-9.]+`)
	aProject   = regexp.MustCompile(`"project": ?"shop"`)
)

// current makes records that were written down at some time records of now, for the run's project. The
// time has a fraction of its own, so that a run in the same second sends others.
func current(records string) string {
	micros := time.Now().UnixMicro() % 1_000_000
	records = aTimestamp.ReplaceAllString(records, fmt.Sprintf(`"timestamp":{now}.%06d`, micros))
	return aProject.ReplaceAllString(records, `"project":"{project}"`)
}

// payloads are what real profilers and a real Postgres gave: see testdata/payloads/README.md.
func payloads(t testing.TB) []Case {
	read := func(name string) string {
		file, err := os.Open(repositoryFile(t, "testdata/payloads/"+name))
		require.NoError(t, err)
		defer file.Close()
		reader := io.Reader(file)
		if strings.HasSuffix(name, ".gz") {
			reader, err = gzip.NewReader(file)
			require.NoError(t, err)
		}
		data, err := io.ReadAll(reader)
		require.NoError(t, err)
		return current(string(data))
	}
	ndjson := map[string]string{"Content-Type": "application/x-ndjson"}
	file := func(name, route string, records int) Case {
		return Case{Name: name, Route: route, Body: read(name), Status: 200, Answer: accepted(records)}
	}
	batch := func(name, route, missing, remedy string, records int) Case {
		body := read("batch.ndjson")
		var others []string
		for i, line := range strings.Split(strings.TrimSpace(body), "\n") {
			if !strings.Contains(line, `"`+missing+`":`) {
				others = append(others, rejected(i, missing, "is required; "+remedy))
			}
		}
		return Case{Name: name, Route: route, Header: ndjson, Body: body, Status: 200, Answer: stored(records, 0, others...)}
	}
	return []Case{
		file("php-xhprof.json", phpRoute, 1),
		file("php-xhprof-large.json.gz", phpRoute, 1).encoded("gzip", gzipped),
		file("php-excimer-speedscope.json", phpRoute, 1).encoded("zstd", zstandard),
		file("php-excimer-collapsed.json", phpRoute, 1),
		file("postgres-auto-explain.json", postgresRoute, 12),
		file("postgres-pg-stat-statements.json", postgresRoute, 15),
		batch("batch.ndjson for PHP", phpRoute, "request_uri", "it has query: send it to /ingest/postgres", 6),
		batch("batch.ndjson for Postgres", postgresRoute, "query", "it has request_uri: send it to /ingest/php", 34),
	}
}

// examples are the document's own records: whoever copies one into an agent must see it stored.
func examples(t testing.TB, d *Document) []Case {
	var cases []Case
	for _, route := range []string{phpRoute, postgresRoute} {
		_, path, _ := strings.Cut(route, " ")
		content := d.must(t, "paths", path, "post", "requestBody", "content")
		for _, contentType := range content.names() {
			media, _ := d.child(content, contentType)
			named, _ := d.child(media, "examples")
			for _, name := range named.names() {
				example, _ := d.child(named, name)
				body, records := exampleBody(t, example.value.(map[string]any)["value"])
				cases = append(cases, Case{
					Name: path + ", " + contentType + ", " + name, Route: route,
					Header: map[string]string{"Content-Type": contentType}, Body: current(body),
					Status: 200, Answer: accepted(records),
				})
			}
		}
	}
	return cases
}

// exampleBody returns the body that an example stands for: lines as they are, or JSON.
func exampleBody(t testing.TB, value any) (body string, records int) {
	if lines, ok := value.(string); ok {
		return lines, strings.Count(lines, "\n")
	}
	text, err := json.Marshal(value)
	require.NoError(t, err)
	if all, ok := value.([]any); ok {
		return string(text), len(all)
	}
	return string(text), 1
}
