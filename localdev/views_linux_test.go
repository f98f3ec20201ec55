package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"golang.org/x/text/width"
)

// productID is that of the page /product/42 of the batch.
const productID = "e8673bf2-8014-425e-8dcd-18f64f8c3668"

// readable are the settings of a listener that serves pages.
const readable = "BITVILLE_READ_KEY_SHOP=" + readKey

// postBatch posts the real batch as if it had come a minute ago.
func (l *listener) postBatch(t *testing.T) {
	t.Helper()
	ndjson, err := os.ReadFile("../testdata/payloads/batch.ndjson")
	require.NoError(t, err)
	const first = 1795381105 // when the batch began
	now := time.Now().Unix() - 60
	records := map[string][]json.RawMessage{}
	for line := range bytes.Lines(ndjson) {
		var record map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(line, &record))
		var began float64
		require.NoError(t, json.Unmarshal(record["timestamp"], &began))
		record["timestamp"] = fmt.Appendf(nil, "%.6f", began-first+float64(now))
		encoded, err := json.Marshal(record)
		require.NoError(t, err)
		path := "/ingest/postgres"
		if record["request_uri"] != nil {
			path = "/ingest/php"
		}
		records[path] = append(records[path], encoded)
	}
	for path, list := range records {
		body, err := json.Marshal(list)
		require.NoError(t, err)
		status, _, answer := l.Do("POST", path, bytes.NewReader(body))
		require.Equal(t, 200, status, answer)
		require.Contains(t, answer, fmt.Sprintf(`"accepted":%d,"duplicates":0,"rejected":[]`, len(list)))
	}
}

// remote is what a command needs that asks the listener over HTTPS: no database.
func (l *listener) remote(more ...string) []string {
	return append([]string{"BITVILLE_READ_KEY=" + readKey, "BITVILLE_CA_PATH=" + l.CAFile}, more...)
}

// output runs a command that must go well and returns what it printed.
func output(t *testing.T, env []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Env = env
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Run(), "%q: %s", args, &stderr)
	require.Empty(t, stderr.String(), "%q", args)
	require.NotContains(t, stdout.String(), "\x1b", "no colours into a pipe")
	for line := range strings.Lines(stdout.String()) {
		if !strings.HasPrefix(line, "{") {
			require.LessOrEqual(t, columns(strings.TrimSuffix(line, "\n")), 100, line)
		}
	}
	return stdout.String()
}

// columns is the room that a text takes in a terminal, as the Unicode Consortium's tables have it.
func columns(text string) (n int) {
	for _, r := range text {
		switch kind := width.LookupRune(r).Kind(); {
		case unicode.In(r, unicode.Mn, unicode.Me):
		case kind == width.EastAsianWide || kind == width.EastAsianFullwidth:
			n += 2
		default:
			n++
		}
	}
	return n
}

// The commands show what is known of the real batch: from the file of a listener that runs, which has not written its
// figures yet, over HTTPS, and from the file of one that has ended.
func TestViewsOfTheBatch(t *testing.T) {
	l := startListener(t, readable)
	l.postBatch(t)
	show := func(t *testing.T, env []string, more ...string) {
		run := func(args ...string) string { return output(t, env, append(args, more...)...) }
		list := run("slowest")
		require.Equal(t, [][]string{{"41%", "2", "/"}, {"97%", "10", "/product/42?ref=&utm_source="}, {"93%", "10", "/product/7"},
			{"96%", "7", "/category/3?page=&size="}, {"85%", "5", "/category/11?page=&size="}, {"–", "0", "/admin/nope"}}, found(list, `ms +(\S+) +(\d+)  (/.*)\n`), "%s", list)
		require.Equal(t, []string{"/product/42?ref=&utm_source=", "/product/7"}, slices.Concat(found(run("slowest", "shop", "--route", "/product/*"), `  (/.*)\n`)...))
		require.Equal(t, [][]string{{"/product/42?ref=&utm_source="}}, found(run("slowest", "-route", "e5800c178338e86c", "-n", "1", "--since", "7d"), `  (/.*)\n`), "by its key")
		require.Equal(t, [][]string{{"2", "/product/*"}, {"1", "/"}, {"2", "/category/*"}, {"1", "/admin/nope"}}, found(run("routes"), `ms +(\d+) .*ms  (/.*)\n`))
		require.Regexp(t, `2% +0\.23 ms +14 .*\n +SELECT p\.id, .*WHERE p\.id = \?\n`, run("statements", "SHOP", "--since", "30m"))
		why := run("why", strings.ReplaceAll(productID, "-", ""))
		require.Contains(t, why, "8.28 of 15.0 ms went between PHP and Postgres: 10 statements, 0.27 ms in Postgres")
		require.Contains(t, why, "97% of the 8.55 ms that PHP waited for the database is between them.")
		require.Contains(t, why, "7 times, 2.39 ms, of which 0.09 in Postgres")
		require.True(t, strings.HasPrefix(run("trace", productID, "--project", "shop"), why), "trace begins as why does")
		for _, id := range found(list, `UTC  (\S+)`) {
			require.NotContains(t, run("why", id[0]), "rows off", "the three estimates that look wrong are not")
		}
		plan := run("trace", productID, "--plan", "2")
		require.Contains(t, plan, "Index Cond: (o1.product_id = ?)")
		require.NotContains(t, plan, "= 42")
	}
	t.Run("beside the listener", func(t *testing.T) { show(t, l.env()) })
	t.Run("over HTTPS", func(t *testing.T) { show(t, l.remote(), "--url", l.URL) })

	require.Contains(t, output(t, l.env("BITVILLE_READ_VALUES=show"), "trace", productID, "-plan", "2"), "Index Cond: (o1.product_id = 42)")
	for path, args := range map[string][]string{
		"/traces/shop/requests?since=1h&limit=20":      {"slowest"},
		"/traces/shop/routes?since=24h&limit=20":       {"routes"},
		"/traces/shop/statements?since=24h&limit=20":   {"statements"},
		"/traces/shop/" + productID + "?":              {"trace", productID},
		"/traces/shop/" + productID + "/plan/2?plan=2": {"trace", productID, "--plan", "2"},
	} {
		want := l.page(t, path)
		require.JSONEq(t, want, timeless(t, output(t, l.env(), append(args, "-json")...)), path)
		require.JSONEq(t, want, timeless(t, output(t, l.remote(), append(args, "--json", "--url", l.URL)...)), path)
	}

	require.NoError(t, l.Stop(syscall.SIGTERM))
	t.Run("of a listener that has ended", func(t *testing.T) { show(t, l.env()) })
}

// found returns the groups of each match.
func found(text, pattern string) (all [][]string) {
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		all = append(all, m[1:])
	}
	return all
}

// page returns the JSON of a page.
func (l *listener) page(t *testing.T, path string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.URL+path, nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+readKey)
	response, err := l.Client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, 200, response.StatusCode, "%s: %s", path, body)
	return timeless(t, string(body))
}

// timeless takes out when a list was asked for.
func timeless(t *testing.T, page string) string {
	t.Helper()
	var decoded map[string]any
	require.NoError(t, json.Unmarshal([]byte(page), &decoded), page)
	delete(decoded, "from")
	delete(decoded, "to")
	encoded, err := json.Marshal(decoded)
	require.NoError(t, err)
	return string(encoded)
}

// What strangers send moves no cursor, turns no text round and makes no line longer, as text or as JSON.
func TestHostileViews(t *testing.T) {
	l := startListener(t, readable)
	nasty := "\u001b[2J\u001b]0;title\u0007\u009b31m\u202e\u200f\u2066\u00ad\U000e0041商店の商品🛒 e\u0301\u0302" + strings.Repeat("\u0300", 300) + strings.Repeat("漢字", 300)
	text, err := json.Marshal(nasty)
	require.NoError(t, err)
	const id = "00000000-0000-4000-8000-000000000007"
	record := func(fields string) string {
		return fmt.Sprintf(`{"project":"shop","correlation_id":"%s","timestamp":%d,"duration_ms":20,%s}`, id, time.Now().Unix(), strings.ReplaceAll(fields, "NASTY", string(text)))
	}
	for path, body := range map[string]string{
		"/ingest/php": record(`"request_uri":NASTY,"route":NASTY,"queries":1,"db_ms":15,NASTY:NASTY,"profiling_data":{NASTY:{"ct":1,"wt":9120}}`),
		"/ingest/postgres": record(`"query":NASTY,"profiling_data":{"Plan":{"Node Type":NASTY,"Relation Name":NASTY,"Filter":NASTY,"Total Cost":1,"Plan Rows":1,
			"Actual Rows":1,"Actual Loops":1,"Actual Total Time":9,"Actual Startup Time":1,"Sort Method":NASTY,"Sort Space Used":1,"Sort Space Type":"Disk"}}`),
	} {
		status, _, answer := l.Do("POST", path, strings.NewReader(body))
		require.Equal(t, 200, status, answer)
	}
	commands := [][]string{{"slowest"}, {"routes"}, {"statements"}, {"why", id}, {"trace", id}, {"trace", id, "--plan", "1"}}
	for _, args := range commands {
		for _, more := range [][]string{nil, {"--json"}, {"--url", l.URL}, {"--url", l.URL, "--json"}} {
			out := output(t, slices.Concat(l.env("BITVILLE_READ_VALUES=show"), l.remote()), append(args, more...)...)
			require.Contains(t, out, "商店", "%q", args)
			for _, r := range out {
				require.True(t, unicode.IsGraphic(r) || r == '\n', "%q prints %U", args, r)
			}
		}
	}
	var page struct{ Name string }
	require.NoError(t, json.Unmarshal([]byte(output(t, l.env("BITVILLE_READ_VALUES=show"), "trace", id, "--json")), &page))
	require.Equal(t, nasty, page.Name, "JSON has all of it")
}

// A terminal gets colours, unless its user wants none.
func TestColours(t *testing.T) {
	l := startListener(t, readable)
	l.postBatch(t)
	for setting, coloured := range map[string]bool{"": true, "NO_COLOR=": true, "NO_COLOR=1": false, "TERM=dumb": false, "TERM=xterm": true} {
		terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
		require.NoError(t, err)
		require.NoError(t, unix.IoctlSetPointerInt(int(terminal.Fd()), unix.TIOCSPTLCK, 0))
		n, err := unix.IoctlGetInt(int(terminal.Fd()), unix.TIOCGPTN)
		require.NoError(t, err)
		out, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_WRONLY|syscall.O_NOCTTY, 0)
		require.NoError(t, err)
		cmd := exec.Command(binary, "why", productID)
		cmd.Env, cmd.Stdout = l.env(setting), out
		require.NoError(t, cmd.Start())
		require.NoError(t, out.Close())
		var text strings.Builder
		_, _ = io.Copy(&text, terminal) // it ends with EIO
		require.NoError(t, terminal.Close())
		require.NoError(t, cmd.Wait())
		require.Contains(t, text.String(), "went between PHP and Postgres")
		require.Equal(t, coloured, strings.Contains(text.String(), "\x1b["), "%q: %s", setting, &text)
	}
}
