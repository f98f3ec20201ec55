package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
	"github.com/bitville/listener/shared/config"
	"github.com/bitville/listener/shared/host"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/libsql/libsqltest"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
	"github.com/bitville/listener/shared/web"
)

// moodyStore is a store that fails in the ways that a client sees.
type moodyStore struct {
	store.Store
	mood atomic.Int32
}

const (
	well         int32 = iota
	full               // says so, and stores nothing
	cutOff             // stores, and cannot tell
	slowToAnswer       // stores, and the client has gone when it says so
)

func (s *moodyStore) Insert(ctx context.Context, records []record.Record) (store.Result, error) {
	broken := &store.Unavailable{Reason: "the disk is full", RetryAfter: time.Second}
	switch s.mood.Load() {
	case full:
		return store.Result{}, broken
	case cutOff:
		_, _ = s.Store.Insert(ctx, records)
		return store.Result{}, broken
	case slowToAnswer:
		result, err := s.Store.Insert(ctx, records)
		time.Sleep(2 * patience)
		return result, err
	}
	return s.Store.Insert(ctx, records)
}

// patience is php-profiler's timeout, which is 3 s by itself.
const patience = time.Second

// uploader stands for php-profiler with its default savers: what the upload does not take goes into a file.
type uploader struct {
	url    string
	client *http.Client
	file   []string // lines
}

// save sends one profile. It looks at no status: JSON without a truthy error is success, whatever comes else is not.
func (u *uploader) save(t *testing.T, profile string) {
	if !u.upload(t, profile) {
		u.file = append(u.file, profile)
	}
}

func (u *uploader) upload(t *testing.T, profile string) (taken bool) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.url+"/run/import?&token="+listenertest.Key, strings.NewReader(profile))
	require.NoError(t, err)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Content-Type", "application/json")
	res, err := u.client.Do(req)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return false
	}
	var answer map[string]any
	if json.Unmarshal(body, &answer) != nil || len(answer) == 0 {
		return false
	}
	switch e := answer["error"].(type) {
	case nil:
		return true
	case bool:
		return !e
	}
	return false
}

// replay stands for its importer: it sends each line of the file, and keeps those that were not taken.
func (u *uploader) replay(t *testing.T) {
	lines := u.file
	u.file = nil
	for _, line := range lines {
		u.save(t, line)
	}
}

// thrower stands for Buggregator's client: from 300 on it throws its user an exception, and whatever happens it never sends again.
type thrower struct {
	url    string
	client *http.Client
	thrown []int // statuses
}

func (b *thrower) send(t *testing.T, profile string) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.url+"/api/profiler/store", strings.NewReader(profile))
	require.NoError(t, err)
	req.SetBasicAuth("profiler", listenertest.Key)
	req.Header.Set("User-Agent", "Symfony HttpClient (Curl)")
	res, err := b.client.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	if res.StatusCode >= 300 {
		b.thrown = append(b.thrown, res.StatusCode)
	}
}

// importing serves all functions on a store, and counts.
func importing(t *testing.T, db store.Store) (url string, client *http.Client, s *moodyStore, dropped *atomic.Int64) {
	t.Helper()
	cfg, _, err := config.Load([]string{"BITVILLE_API_KEY_SHOP=" + listenertest.Key, "BITVILLE_DB_PATH=unused"})
	require.NoError(t, err)
	s, dropped = &moodyStore{Store: db}, &atomic.Int64{}
	told := host.Observers{Request: func(web.Observation) {}, Records: func(c store.Count) { dropped.Add(int64(c.Dropped)) }}
	server := httptest.NewTLSServer(newHandler(host.New(cfg, s, slog.New(slog.DiscardHandler), now, "", told)))
	t.Cleanup(server.Close)
	return server.URL, server.Client(), s, dropped
}

// Unmodified clients over a listener that cannot store for a while: what php-profiler profiled is there once, whatever the
// listener said meanwhile, and Buggregator's client breaks no page, and what it lost is counted.
func TestImportersExactlyOnce(t *testing.T) {
	onBothStores(t, func(t *testing.T, db store.Store, names func() [][]string) {
		url, client, s, dropped := importing(t, db)
		php, bug := &uploader{url: url, client: client}, &thrower{url: url, client: client}
		n, kept := 0, [][]string{}
		profile := func() {
			php.save(t, fmt.Sprintf(`{"profile":{"main()":{"ct":1,"wt":%d}},"meta":{"url":"/php/%03d","SERVER":{"REQUEST_TIME_FLOAT":%d.25}}}`, 1000+n, n, now().Unix()))
			kept = append(kept, []string{fmt.Sprintf("/php/%03d", n), "1"})
			n++
		}
		for _, mood := range []int32{well, full, cutOff, slowToAnswer, well} {
			s.mood.Store(mood)
			for range 3 {
				profile()
			}
		}
		require.Len(t, php.file, 9, "what was not answered as it should be is in the client's file")
		whole := strings.Join(php.file, "\n") + "\n"
		for _, mood := range []int32{full, cutOff, well} {
			s.mood.Store(mood)
			php.replay(t)
		}
		require.Empty(t, php.file)
		res, err := client.Post(url+"/k/"+listenertest.Key+"/run/import", "application/x-ndjson", bytes.NewReader([]byte(whole)))
		require.NoError(t, err)
		answer, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.JSONEq(t, `{"ok":true,"accepted":0,"duplicates":9}`, string(answer))
		require.Equal(t, kept, names())
		require.Zero(t, dropped.Load())

		for i, mood := range []int32{well, full, full, well} {
			s.mood.Store(mood)
			bug.send(t, fmt.Sprintf(`{"profile":{"main()":{"ct":1,"wt":1000}},"tags":{"uri":"/bug/%d"},"app_name":"shop","hostname":"web","date":%d}`, i, now().Unix()))
		}
		require.Empty(t, bug.thrown)
		require.EqualValues(t, 2, dropped.Load())
		require.Equal(t, append([][]string{{"/bug/0", "1"}, {"/bug/3", "1"}}, kept...), names())
	})
}

// onBothStores runs a test on a database of each kind. names lists what is stored, and how often.
func onBothStores(t *testing.T, test func(t *testing.T, db store.Store, names func() [][]string)) {
	const query = "SELECT name, count(*) FROM profiling_data GROUP BY name ORDER BY name"
	t.Run("sqlite", func(t *testing.T) {
		db, path := sqlitetest.New(t)
		test(t, db, func() [][]string { return sqlitetest.Query(t, path, query) })
	})
	t.Run("libsql", func(t *testing.T) {
		db, server := libsqltest.New(t)
		test(t, db, func() [][]string { return server.Query(t, query) })
	})
}
