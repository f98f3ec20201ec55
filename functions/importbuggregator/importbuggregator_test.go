package importbuggregator_test

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

	"github.com/bitville/listener/functions/importbuggregator"
	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/contracttest"
	"github.com/bitville/listener/shared/intake"
	"github.com/bitville/listener/shared/intake/intaketest"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

// What the client makes of the URL http://profiler:<key>@….
var basic = "Basic " + base64.StdEncoding.EncodeToString([]byte("profiler:"+intaketest.Key))

// TestCaptured sends what the client sent, as it did, and reads back what is stored. What is sent again is a duplicate.
func TestCaptured(t *testing.T) {
	intaketest.OnBoth(t, func(t *testing.T, db store.Store) {
		h := intaketest.Over(db, importbuggregator.New, nil)
		for _, c := range []struct {
			file, path, authorization string
			id                        string
			ends                      int64
			us                        int64
			name, attributes          string
		}{
			{"buggregator-no-tags.json", "/k/" + intaketest.Key + importbuggregator.Path, "Basic " + base64.StdEncoding.EncodeToString([]byte("profiler:")), "", 1795828431, 1580,
				"My super app", `{"dialect":"buggregator","correlation":"derived","app":"My super app","host":"vm"}`},
			{"buggregator-tags-list.json", importbuggregator.Path, basic, "", 1795828432, 810,
				"My super app", `{"dialect":"buggregator","correlation":"derived","app":"My super app","host":"vm","tags":["local","v2"]}`},
			{"buggregator-tags-map.json", importbuggregator.Path, "Bearer " + intaketest.Key, "3f2c8a5e-9d4b-4c1f-a6e0-b7d2c3e4f501", 1795828432, 954,
				"My super app", `{"dialect":"buggregator","app":"My super app","host":"vm","tags":{"env":"local","correlation_id":"3f2c8a5e-9d4b-4c1f-a6e0-b7d2c3e4f501"}}`},
			{"buggregator-tags-spiral.json", importbuggregator.Path, basic, "", 1795828565, 1536,
				"/orders/7?page=", `{"dialect":"buggregator","correlation":"derived","app":"Spiral","host":"vm","tags":{"route":null,"uri":"http://shop.example/orders/7?page=","dispatcher":null}}`},
		} {
			body := intaketest.Captured(t, c.file)
			if c.id == "" {
				c.id = record.DerivedID("shop", body)
			}
			for range 2 {
				w := intaketest.Post(h, c.path, body, "Authorization", c.authorization, "Content-Type", "application/json", "Accept", "*/*",
					"User-Agent", "Symfony HttpClient (Curl)", "Accept-Encoding", "gzip")
				require.Equal(t, http.StatusOK, w.Code, w.Body)
				require.JSONEq(t, `{"status":true}`, w.Body.String())
			}
			entries, err := db.ByCorrelationID(t.Context(), c.id)
			require.NoError(t, err)
			require.Len(t, entries, 1)
			got := entries[0]
			var sent struct{ Profile json.RawMessage }
			require.NoError(t, json.Unmarshal(body, &sent))
			require.Equal(t, []string{"shop", "php_agent", c.name, c.attributes, string(sent.Profile)}, []string{got.Project, got.Source, got.Name, got.Attributes, got.Payload})
			require.Equal(t, c.ends*1e6-c.us, got.Timestamp.UnixMicro())
			require.InDelta(t, float64(c.us)/1000, *got.DurationMS, 1e-9)
		}
	})
}

// TestAnswers holds the answers against what the client makes of them: from 300 on an exception in its user's page. What may pass
// is below that.
func TestAnswers(t *testing.T) {
	page := fmt.Sprintf(`{"profile":{"main()":{"ct":1,"wt":1000}},"tags":[],"app_name":"app","hostname":"vm","date":%d}`, intaketest.Now.Unix())
	db, path := sqlitetest.New(t)
	full := contracttest.FailingStore(func() error {
		return &store.Unavailable{Reason: "the disk is full", RetryAfter: 3 * time.Second, Err: errors.New("secret: /var/lib")}
	})
	const dropped = `{"status":false}`
	failure := func(text string) string { return fmt.Sprintf(`{"error":%q}`, text) }
	for _, c := range []struct {
		name, key, body string
		store           intake.Store
		status          int
		answer          string
		counts          []store.Count
	}{
		{"a profile", basic, page, db, 200, `{"status":true}`, []store.Count{{Source: "php_agent", Project: "shop", Stored: store.Result{Accepted: 1}}}},
		{"no key", "", page, db, 401, failure(`No API key: send the header "Authorization: Bearer <key>", or Basic with the key as the password, or /k/<key> before the URL's path`), nil},
		{"a wrong key", "Bearer wrong", page, db, 401, failure("Unknown API key: send one that the listener has for the project"), nil},
		{"a key for another route", "Bearer limited", page, db, 403, failure("The key is for /v1/traces alone; nothing was stored"), nil},
		{"not JSON", basic, "{", db, 400, failure("The body is not JSON at or behind byte 0, counted from 0; send what Buggregator's profiler client sends"), nil},
		{"no profile", basic, "{}", db, 400, failure("Not stored: profile must be an object of edges"),
			[]store.Count{{Source: "php_agent", Project: "shop", Rejected: []record.Rejection{{Details: []record.Detail{{Path: "profile", Message: "must be an object of edges"}}}}}}},
		{"too large", basic, strings.Repeat(" ", 4<<20+1), db, 413, failure("The body is over 4194304 bytes; send fewer records at a time, or compress it"), nil},
		{"a store that is full", basic, page, full, 202, dropped, []store.Count{{Source: "php_agent", Project: "shop", Dropped: 1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var counts []store.Count
			h := intaketest.Over(c.store, importbuggregator.New, func(cfg *intake.Config) {
				cfg.Keys = auth.NewKeys([]auth.Key{{Project: "shop", Secret: intaketest.Key}, {Project: "shop", Secret: "limited", Routes: []string{"/v1/traces"}}})
				cfg.Count = func(c store.Count) { counts = append(counts, c) }
			})
			w := intaketest.Post(h, importbuggregator.Path, []byte(c.body), "Authorization", c.key)
			require.Equal(t, c.status, w.Code)
			require.JSONEq(t, c.answer, w.Body.String())
			require.Empty(t, w.Header().Get("Retry-After"))
			require.Equal(t, c.counts, counts)
		})
	}
	require.Equal(t, [][]string{{"1"}}, sqlitetest.Query(t, path, "SELECT count(*) FROM profiling_data"))

	// Too many wrong keys are a wrong key, and no more.
	h := intaketest.Over(db, importbuggregator.New, func(cfg *intake.Config) { cfg.Throttle = auth.NewThrottle(1, time.Now) })
	for range 3 {
		w := intaketest.Post(h, importbuggregator.Path, nil, "Authorization", "")
		require.Equal(t, 401, w.Code)
		require.Equal(t, "Bearer", w.Header().Get("WWW-Authenticate"))
		require.Empty(t, w.Header().Get("Retry-After"))
	}
}
