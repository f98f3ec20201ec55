package importxhgui_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/functions/importxhgui"
	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/contracttest"
	"github.com/bitville/listener/shared/intake"
	"github.com/bitville/listener/shared/intake/intaketest"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

// The request line that php-profiler makes of a URL and a token.
const (
	tokenPath = "/run/import?&token=" + intaketest.Key
	inPath    = "/k/" + intaketest.Key + "/run/import"
)

var basic = "Basic " + base64.StdEncoding.EncodeToString([]byte("shop:"+intaketest.Key))

// TestCaptured sends what php-profiler sent, as it did, and reads back what is stored. What is sent again is a duplicate.
func TestCaptured(t *testing.T) {
	ms := func(x float64) *float64 { return &x }
	intaketest.OnBoth(t, func(t *testing.T, db store.Store) {
		h := intaketest.Over(db, importxhgui.New, nil)
		for _, c := range []struct {
			file, path, authorization string
			want                      store.Entry
		}{
			{"xhgui-tideways.json", tokenPath, "", store.Entry{CorrelationID: "3f2c8a5e-9d4b-4c1f-a6e0-b7d2c3e4f501", Timestamp: time.UnixMicro(1795828408_429556), DurationMS: ms(.779),
				Name: "/orders/7?page=&token=", Attributes: `{"dialect":"xhgui","route":"/orders/7","method":"GET","host":"shop.example","https":"on"}`}},
			{"xhgui-tideways-no-id.json", importxhgui.Path, basic, store.Entry{Timestamp: time.UnixMicro(1795828408_915362), DurationMS: ms(2.389),
				Name: "/", Attributes: `{"dialect":"xhgui","correlation":"derived","route":"/","method":"GET","host":"shop.example","https":"on"}`}},
			{"xhgui-cli.json", inPath, "", store.Entry{Timestamp: time.UnixMicro(1795828411_511820), DurationMS: ms(3.055),
				Name: "cli.php import:orders --limit=", Attributes: `{"dialect":"xhgui","correlation":"derived","route":"cli.php import:orders --limit"}`}},
			{"joined-1-xhgui.json.gz", importxhgui.Path, "Bearer " + intaketest.Key, store.Entry{CorrelationID: "77a64a7e-3756-91e6-199e-bcd213fe5232", Timestamp: time.UnixMicro(1795828516_860948), DurationMS: ms(55.477),
				Name: "/orders/42?page=", Attributes: `{"dialect":"xhgui","route":"/orders/42","method":"GET","host":"127.0.0.1"}`}},
		} {
			body := intaketest.Captured(t, c.file)
			var sent struct{ Profile json.RawMessage }
			require.NoError(t, json.Unmarshal(body, &sent))
			if c.want.CorrelationID == "" {
				c.want.CorrelationID = record.DerivedID("shop", body)
			}
			for range 2 {
				w := intaketest.Post(h, c.path, body, "Authorization", c.authorization, "Content-Type", "application/json", "Accept", "application/json")
				require.Equal(t, http.StatusOK, w.Code, w.Body)
				require.JSONEq(t, fmt.Sprintf(`{"ok":true,"id":"%s","size":%d}`, c.want.CorrelationID, len(sent.Profile)), w.Body.String())
			}
			entries, err := db.ByCorrelationID(t.Context(), c.want.CorrelationID)
			require.NoError(t, err)
			require.Len(t, entries, 1)
			got := entries[0]
			require.InDelta(t, *c.want.DurationMS, *got.DurationMS, 1e-9)
			c.want.Project, c.want.Source, c.want.Payload = "shop", "php_agent", string(sent.Profile)
			c.want.DurationMS, c.want.CreatedAt = got.DurationMS, got.CreatedAt
			require.True(t, c.want.Timestamp.Equal(got.Timestamp))
			c.want.Timestamp = got.Timestamp
			require.Equal(t, c.want, got)
		}

		// A replay of the client's file, line by line and then whole.
		file := intaketest.Captured(t, "xhgui-stack-saver.jsonl")
		for line := range strings.Lines(string(file)) {
			require.Equal(t, http.StatusOK, intaketest.Post(h, tokenPath, []byte(line)).Code)
		}
		w := intaketest.Post(h, importxhgui.Path, file, "Content-Type", "application/x-ndjson")
		require.JSONEq(t, `{"ok":true,"accepted":0,"duplicates":2}`, w.Body.String())
	})
}

// page is a body of php-profiler's whose id is derived.
func page(name string) string {
	return fmt.Sprintf(`{"profile":{"main()":{"ct":1,"wt":1000}},"meta":{"url":%q,"SERVER":{"REQUEST_TIME_FLOAT":%d}}}`, name, intaketest.Now.Unix())
}

// TestAnswers holds the answers against what php-profiler understands: it looks at no status, and takes JSON without an error
// for success.
func TestAnswers(t *testing.T) {
	db, path := sqlitetest.New(t)
	full := contracttest.FailingStore(func() error {
		return &store.Unavailable{Reason: "the disk is full", RetryAfter: 3 * time.Second, Err: errors.New("secret: /var/lib")}
	})
	old := strings.Replace(page("/old"), fmt.Sprint(intaketest.Now.Unix()), "1790000000", 1)
	for _, c := range []struct {
		name, path, key, body string
		store                 intake.Store
		status                int
		answer                string
	}{
		{"no key", importxhgui.Path, "", page("/1"), db, 401, `No API key: send the header "Authorization: Bearer <key>", or Basic with the key as the password, or ?token=<key> in the URL, or /k/<key> before the URL's path`},
		{"a wrong key", importxhgui.Path + "?&token=wrong", "", page("/1"), db, 401, "Unknown API key: send one that the listener has for the project"},
		{"two keys", tokenPath, "Bearer wrong", page("/1"), db, 401, "Two different API keys in one request: send one"},
		{"a key for another route", importxhgui.Path + "?&token=limited", "", page("/1"), db, 403, "The key is for /v1/traces alone; nothing was stored"},
		{"not JSON", tokenPath, "", "profile=", db, 400, "The body is not JSON at or behind byte 0, counted from 0; send what php-profiler sends, a profile a body or a line"},
		{"an empty body", tokenPath, "", "", db, 400, "The body is empty; send what php-profiler sends, a profile a body or a line"},
		{"no meta", tokenPath, "", `{"profile":{}}`, db, 400, "Not stored: meta must be an object: what php-profiler knows about the request"},
		{"too old", tokenPath, "", old, db, 400, "Not stored: timestamp is older than the 168 hours that records are kept; send records sooner, in Unix seconds, and set the sender's clock"},
		{"too large", tokenPath, "", page("/" + strings.Repeat("x", 4<<20)), db, 413, "The body is over 4194304 bytes; send fewer records at a time, or compress it"},
		{"too many", tokenPath, "", strings.Repeat("{}\n", 5001), db, 413, "The body holds more than 5000 profiles; send fewer at a time"},
		{"a store that is full", tokenPath, "", page("/1"), full, 503, "Not stored: the disk is full; send the same body again later"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := intaketest.Over(c.store, importxhgui.New, func(cfg *intake.Config) {
				cfg.Keys = auth.NewKeys([]auth.Key{{Project: "shop", Secret: intaketest.Key}, {Project: "shop", Secret: "limited", Routes: []string{"/v1/traces"}}})
			})
			w := intaketest.Post(h, c.path, []byte(c.body), "Authorization", c.key)
			require.Equal(t, c.status, w.Code)
			require.Equal(t, []string{"application/json"}, w.Result().Header["Content-Type"])
			want, err := json.Marshal(map[string]any{"error": true, "message": c.answer})
			require.NoError(t, err)
			require.JSONEq(t, string(want), w.Body.String())
		})
	}
	require.Equal(t, [][]string{{"0"}}, sqlitetest.Query(t, path, "SELECT count(*) FROM profiling_data"), "an error is never of what is stored")

	h := intaketest.Over(db, importxhgui.New, func(cfg *intake.Config) { cfg.Throttle = auth.NewThrottle(1, time.Now) })
	require.Equal(t, 401, intaketest.Post(h, importxhgui.Path, nil, "Authorization", "").Code)
	w := intaketest.Post(h, importxhgui.Path, nil, "Authorization", "")
	require.Equal(t, 429, w.Code)
	require.NotEmpty(t, w.Header().Get("Retry-After"))
	require.Contains(t, w.Body.String(), `"error":true`)

	w = intaketest.Post(h, tokenPath, []byte(page("/1")+"\n"+old+"\n"+page("/2")+"\n{"), "Authorization", "", "Content-Type", "application/x-ndjson")
	require.Equal(t, 400, w.Code)
	require.JSONEq(t, `{"error":true,"message":"2 of 4 profiles were not stored; the first is no. 1, counted from 0: timestamp is older than the 168 hours that records are kept; send records sooner, in Unix seconds, and set the sender's clock",
		"accepted":2,"duplicates":0,"rejected":[{"index":1,"details":[{"path":"timestamp","message":"is older than the 168 hours that records are kept; send records sooner, in Unix seconds, and set the sender's clock"}]},
		{"index":3,"details":[{"path":"","message":"is not JSON at or behind byte 0, counted from 0"}]}]}`, w.Body.String())
	require.Equal(t, [][]string{{"/1"}, {"/2"}}, sqlitetest.Query(t, path, "SELECT name FROM profiling_data ORDER BY name"), "what is good is stored")
}

// What is kept is what the setting names.
func TestKeep(t *testing.T) {
	db, path := sqlitetest.New(t)
	h := intaketest.Over(db, importxhgui.New, func(cfg *intake.Config) { cfg.Keep = []string{"query_values"} })
	require.Equal(t, 200, intaketest.Post(h, tokenPath, intaketest.Captured(t, "xhgui-tideways.json"), "Authorization", "").Code)
	require.Equal(t, [][]string{{"/orders/7?page=17&token=abc"}}, sqlitetest.Query(t, path, "SELECT name FROM profiling_data"))
}
