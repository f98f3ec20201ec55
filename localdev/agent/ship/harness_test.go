package ship

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
	"github.com/bitville/listener/shared/auth"
)

// request is what the stand-in of a listener was sent.
type request struct {
	path, key, body string
	lines           []string
}

// listener stands in for one. Its answers are as the test says, for the rare ones.
type listener struct {
	*httptest.Server
	ca string

	mu       sync.Mutex
	answer   func(w http.ResponseWriter, r request)
	requests []request
}

// acceptAll answers as a listener does that takes all.
func acceptAll(w http.ResponseWriter, r request) {
	fmt.Fprintf(w, `{"accepted":%d,"duplicates":0,"rejected":[]}`, len(r.lines))
}

func status(code int, text string, header ...string) func(http.ResponseWriter, request) {
	return func(w http.ResponseWriter, _ request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, text)
	}
}

func newListener(t testing.TB) *listener {
	l := &listener{answer: acceptAll}
	l.Server = httptest.NewTLSServer(http.HandlerFunc(l.serve))
	t.Cleanup(l.Close)
	l.ca = filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(l.ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: l.Certificate().Raw}), 0o600))
	return l
}

func (l *listener) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	got := request{path: r.URL.Path, key: strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), body: string(body)}
	if zip, err := gzip.NewReader(strings.NewReader(got.body)); err == nil {
		text, _ := io.ReadAll(zip)
		got.lines = strings.Split(strings.TrimSpace(string(text)), "\n")
	}
	l.mu.Lock()
	l.requests = append(l.requests, got)
	answer := l.answer
	l.mu.Unlock()
	answer(w, got)
}

func (l *listener) set(answer func(http.ResponseWriter, request)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer = answer
}

func (l *listener) got() []request {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]request(nil), l.requests...)
}

// lines are all records that it was sent.
func (l *listener) lines() (all []string) {
	for _, r := range l.got() {
		all = append(all, r.lines...)
	}
	return all
}

// clock is one that a test moves on.
type clock struct {
	mu    sync.Mutex
	added time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.added)
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.added += d
}

// counted adds up what the counts were told.
type counted struct {
	mu sync.Mutex
	n  map[string]int
}

func (c *counted) counts() Counts {
	add := func(kind string) func(string, int) {
		return func(label string, n int) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.n[kind+" "+label] += n
		}
	}
	posted := add("posted")
	return Counts{Sent: add("sent"), Dropped: add("dropped"), Posted: func(status string) { posted(status, 1) }}
}

func (c *counted) get(what string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[what]
}

// harness is a Shipper of a test, with what is around it.
type harness struct {
	*Shipper
	cfg    Config
	clock  clock
	counts counted
	log    *listenertest.Log
}

func newHarness(t testing.TB, l *listener, change ...func(*Config)) *harness {
	h := &harness{log: &listenertest.Log{}, counts: counted{n: map[string]int{}}}
	h.cfg = Config{
		Dir: t.TempDir(), URL: l.URL, CAPath: l.ca, Stream: Stream{"postgres", "shop"}, MaxBytes: 64 << 20, FlushInterval: time.Millisecond,
		Log: slog.New(slog.NewJSONHandler(h.log, nil)), Now: h.clock.now, Counts: h.counts.counts(),
		Keys: func() ([]auth.Key, error) {
			return []auth.Key{{Project: "shop", Secret: "the-shop"}, {Project: "blog", Secret: "the-blog"}}, nil
		},
	}
	for _, c := range change {
		c(&h.cfg)
	}
	h.open(t)
	return h
}

func (h *harness) open(t testing.TB) {
	t.Helper()
	var err error
	h.Shipper, err = Open(h.cfg)
	require.NoError(t, err)
	s := h.Shipper
	t.Cleanup(func() { _ = s.lock.Close(); s.sender.client.CloseIdleConnections() })
}

// run runs the Shipper until the test or the returned function ends it.
func (h *harness) run(t testing.TB) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	s := h.Shipper
	go func() {
		defer close(ended)
		_ = s.Run(ctx)
	}()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(stop)
	return stop
}

// failures is how many tries in a row have failed.
func (h *harness) failures() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.sender.failures
}

func (h *harness) files(t testing.TB, folder string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(h.cfg.Dir, folder))
	require.NoError(t, err)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// logged returns the lines of the log with a message.
func (h *harness) logged(t testing.TB, msg string) (found []map[string]any) {
	t.Helper()
	for line := range strings.Lines(h.log.String()) {
		var fields map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &fields))
		if fields["msg"] == msg {
			found = append(found, fields)
		}
	}
	return found
}

func rec(n int) []byte { return fmt.Appendf(nil, `{"project":"shop","n":%d}`, n) }

func eventually(t testing.TB, is func() bool, text string) {
	t.Helper()
	require.Eventually(t, is, 10*time.Second, time.Millisecond, text)
}

// only returns the one file of a folder whose name has an ending, and what it holds.
func (h *harness) only(t testing.TB, folder, suffix string) (name, content string) {
	t.Helper()
	for _, file := range h.files(t, folder) {
		if strings.HasSuffix(file, suffix) {
			require.Empty(t, name, "there is one alone")
			name = file
		}
	}
	require.NotEmpty(t, name, "%s*%s", folder, suffix)
	data, err := os.ReadFile(filepath.Join(h.cfg.Dir, folder, name))
	require.NoError(t, err)
	if strings.HasSuffix(name, ".gz") {
		zip, err := gzip.NewReader(strings.NewReader(string(data)))
		require.NoError(t, err)
		data, err = io.ReadAll(zip)
		require.NoError(t, err)
	}
	return name, string(data)
}
