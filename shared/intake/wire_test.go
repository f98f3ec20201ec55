package intake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/web"
)

// words is a wire whose body is words: php and postgres are records of these sources, bad is none, and large asks for
// the memory that it has. It has all that a wire can have.
type words struct{ large bool }

func (words) Name() string { return "words" }
func (w words) Limits() (sent, opened int64) {
	if w.large {
		return MaxSent, MaxOpened
	}
	return 0, record.MaxBody
}
func (words) Keys() auth.Places    { return auth.Places{Basic: true, Query: "token", Path: true} }
func (words) Accepts(string) error { return nil }

func (words) Decode(body []byte, _ string, rules record.Rules, room func(int64) error) (batch record.Batch, err error) {
	for i, word := range strings.Fields(string(body)) {
		switch word {
		case "bad":
			batch.Rejected = append(batch.Rejected, record.Rejection{Index: i, Details: []record.Detail{{Path: "timestamp", Message: "is wrong"}}})
		case "bad-postgres":
			batch.Rejected = append(batch.Rejected, record.Rejection{Index: i, Source: "postgres", Details: []record.Detail{{Message: "is wrong"}}})
		case "large":
			if err := room(int64(len(body)) * 2); err != nil {
				return batch, err
			}
		default:
			batch.Records = append(batch.Records, record.Record{Source: word, Project: rules.Project})
		}
	}
	return batch, nil
}

func (words) Stored(w *web.Response, _ *http.Request, batch record.Batch, result store.Result) error {
	w.Data(200, "", fmt.Appendf(nil, "%d %d %d", result.Accepted, result.Duplicates, len(batch.Rejected)))
	return nil
}

func (words) Refused(_ *web.Response, _ *http.Request, err error) error {
	e, _ := errors.AsType[*web.Error](err)
	own := *e
	own.Answer = &web.Answer{ContentType: "text/plain", Data: fmt.Append(nil, "refused: ", e.Status)}
	if e.Status == http.StatusServiceUnavailable {
		own.Status = http.StatusAccepted
	}
	return &own
}

// wordsHandler serves the wire on /words. The key "limited-key" is for another route.
func wordsHandler(wire words, s Store, change func(*Config)) (h http.Handler, counts *[]store.Count, log *bytes.Buffer) {
	counts, log = &[]store.Count{}, &bytes.Buffer{}
	_, cfg := newHandler(s, func(c *Config) {
		c.Keys = auth.NewKeys([]auth.Key{{Project: "shop", Secret: key}, {Project: "shop", Secret: "limited-key", Routes: []string{"/v1/traces"}}})
		c.Log = slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.Count = func(c store.Count) { *counts = append(*counts, c) }
	})
	if change != nil {
		change(cfg)
	}
	return web.New(web.Config{Log: cfg.Log, Observe: func(web.Observation) {}}, New("/words", wire, *cfg)), counts, log
}

// brokenStore takes nothing now.
type brokenStore struct{}

func (brokenStore) Admit() error { return nil }
func (brokenStore) Insert(context.Context, []record.Record) (store.Result, error) {
	return store.Result{}, &store.Unavailable{Reason: "the disk is full"}
}

func sendWords(h http.Handler, target, authorization, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", target, strings.NewReader(body))
	if user, password, isBasic := strings.Cut(authorization, ":"); isBasic {
		r.SetBasicAuth(user, password)
	} else if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// A key is found where a wire says that it may be. One that is wrong is throttled wherever it was, and none is logged.
func TestKeysOfForeignClients(t *testing.T) {
	h, _, log := wordsHandler(words{}, released(), func(c *Config) { c.Throttle = auth.NewThrottle(6, time.Now) })
	for _, c := range []struct {
		target, authorization string
		status                int
	}{
		{"/words", "Bearer " + key, 200},
		{"/words", "profiler:" + key, 200},
		{"/words?&token=" + key, "", 200},
		{"/k/" + key + "/words", "", 200},
		{"/k/" + key + "/words?token=" + key, "Bearer " + key, 200},
		{"/words", "Bearer limited-key", 403},
		{"/k/limited-key/words", "", 403},
		{"/words", "", 401},
		{"/words", "profiler:wrong-key", 401},
		{"/words?token=wrong-key", "", 401},
		{"/k/wrong-key/words", "", 401},
		{"/k/wrong-key/words", "Bearer " + key, 401},
		{"/words?token=wrong-key", "profiler:" + key, 401},
		{"/k/wrong-key/words", "", 429},
		{"/words?token=wrong-key", "", 429},
		{"/k/" + key + "/words", "", 200},
		{"/k/" + key + "/other", "", 404},
	} {
		w := sendWords(h, c.target, c.authorization, "php")
		require.Equal(t, c.status, w.Code, "%s %s", c.target, c.authorization)
		if c.status != 404 && c.status != 200 {
			require.Equal(t, fmt.Sprint("refused: ", c.status), w.Body.String())
		}
	}
	require.NotContains(t, log.String(), key)
	require.NotContains(t, log.String(), "wrong-key")
	require.Contains(t, log.String(), `"path":"/k/{key}/words"`)
	require.Contains(t, log.String(), `"project":"shop","error":"The key is for /v1/traces alone; nothing was stored"`)
}

// Records are counted by their own source, and what could not be stored and is not sent again as dropped.
func TestCountsOfForeignClients(t *testing.T) {
	h, counts, _ := wordsHandler(words{}, released(), nil)
	w := sendWords(h, "/words", "Bearer "+key, "php postgres bad php bad-postgres php")
	require.Equal(t, "4 0 2", w.Body.String())
	details := (*counts)[2:]
	require.Equal(t, []store.Count{
		{Source: "php", Project: "shop", Stored: store.Result{Accepted: 3}},
		{Source: "postgres", Project: "shop", Stored: store.Result{Accepted: 1}},
	}, (*counts)[:2])
	require.Len(t, details, 2)
	require.Equal(t, "words", details[0].Source)
	require.Equal(t, 2, details[0].Rejected[0].Index)
	require.Equal(t, "postgres", details[1].Source)
	require.Equal(t, 4, details[1].Rejected[0].Index)

	h, counts, log := wordsHandler(words{}, brokenStore{}, nil)
	w = sendWords(h, "/k/"+key+"/words", "", "php")
	require.Equal(t, 202, w.Code)
	require.Equal(t, "refused: 503", w.Body.String())
	require.Equal(t, []store.Count{{Source: "words", Project: "shop", Dropped: 1}}, *counts)
	require.Contains(t, log.String(), `"level":"ERROR"`)
}

// A wire with the largest limits gets the memory for them, others are held to theirs, and what there never is room for is
// no reason to send it again.
func TestRoomOfForeignClients(t *testing.T) {
	body := func(size int) string { return "php large" + strings.Repeat(" ", size-len("php large")) }
	for _, c := range []struct {
		large  bool
		size   int
		status int
	}{
		{false, 4 << 20, 200},
		{false, 4<<20 + 1, 413}, // on the wire
		{true, 4<<20 + 1, 200},
		{true, MaxSent, 200},
		{true, MaxSent + 1, 413},
	} {
		h, _, _ := wordsHandler(words{c.large}, released(), nil)
		require.Equal(t, c.status, sendWords(h, "/words", "Bearer "+key, body(c.size)).Code, c.size)
	}
	h, _, log := wordsHandler(words{}, released(), func(c *Config) { c.Bodies = NewBodies(record.MaxBody) })
	require.Equal(t, 413, sendWords(h, "/words", "Bearer "+key, body(record.MaxBody)).Code)
	require.Contains(t, log.String(), "take more memory than there is for one body")
}
