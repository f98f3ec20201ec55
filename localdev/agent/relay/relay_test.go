package relay

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
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

	"github.com/bitville/listener/localdev/agent/ship"
	"github.com/bitville/listener/localdev/listenertest"
	"github.com/bitville/listener/shared/auth"
)

// harness is a relay with all around it.
type harness struct {
	relay   *Relay
	shipper *ship.Shipper
	client  net.Conn
	log     *listenertest.Log
	spool   string
	stop    func() // ends the relay

	mu      sync.Mutex
	lines   []string // that the listener was sent, each behind its path and key
	dropped map[string]int
	read    int
}

func newHarness(t *testing.T, change ...func(*ship.Config)) *harness {
	h := &harness{log: &listenertest.Log{}, spool: t.TempDir(), dropped: map[string]int{}}
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		zip, err := gzip.NewReader(r.Body)
		if err != nil {
			return
		}
		text, _ := io.ReadAll(zip)
		h.mu.Lock()
		defer h.mu.Unlock()
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		for _, line := range lines {
			h.lines = append(h.lines, r.URL.Path+" "+strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")+" "+line)
		}
		fmt.Fprintf(w, `{"accepted":%d,"duplicates":0,"rejected":[]}`, len(lines))
	}))
	t.Cleanup(srv.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600))
	keys := []auth.Key{{Project: "shop", Secret: "the-shop"}, {Project: "blog", Secret: "the-blog"}}
	log := slog.New(slog.NewJSONHandler(h.log, nil))
	cfg := ship.Config{
		Dir: t.TempDir(), URL: srv.URL, CAPath: ca, MaxBytes: 64 << 20, DropOldest: true, FlushInterval: time.Millisecond, Log: log, Now: time.Now,
		Keys: func() ([]auth.Key, error) { return keys, nil }, Counts: ship.Uncounted,
	}
	cfg.Counts.Dropped = func(reason string, n int) {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.dropped[reason] += n
	}
	for _, c := range change {
		c(&cfg)
	}
	var err error
	h.shipper, err = ship.Open(cfg)
	require.NoError(t, err)
	h.relay, err = Listen(Config{
		Addr: "127.0.0.1:0", Keys: keys, SpoolDir: h.spool, Every: 10 * time.Millisecond, Shipper: h.shipper, Log: log, Now: time.Now,
		Read: func(n int) { h.mu.Lock(); defer h.mu.Unlock(); h.read += n },
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); h.relay.Run(ctx) }()
	h.stop = sync.OnceFunc(func() { cancel(); <-ended })
	t.Cleanup(func() { h.stop(); require.NoError(t, h.shipper.Close()) })
	h.client, err = net.Dial("udp", h.relay.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = h.client.Close() })
	return h
}

// ship sends what is in the spool until the test ends.
func (h *harness) ship(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = h.shipper.Run(ctx) }()
	t.Cleanup(func() { h.stop(); cancel(); <-ended })
}

func (h *harness) sent() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return append([]string(nil), h.lines...)
}

func (h *harness) drops() map[string]int {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := map[string]int{}
	for reason, n := range h.dropped {
		all[reason] = n
	}
	return all
}

func (h *harness) send(t *testing.T, source, project, key, body string) {
	t.Helper()
	line := fmt.Sprintf("bv1 %s %s %d ", source, project, time.Now().Unix())
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(line + body))
	_, err := io.WriteString(h.client, line+hex.EncodeToString(mac.Sum(nil))+"\n"+body)
	require.NoError(t, err)
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	_, err := io.WriteString(zip, text)
	require.NoError(t, err)
	require.NoError(t, zip.Close())
	return out.String()
}

// TestDatagrams: each goes to its source's path under its project's key, or is dropped for a reason.
func TestDatagrams(t *testing.T) {
	h := newHarness(t)
	h.ship(t)
	h.send(t, "php", "shop", "the-shop", `{"project":"shop","n":1}`)
	h.send(t, "php", "Shop", "the-shop", gzipped(t, `{"project":"SHOP","n":2}`))
	h.send(t, "postgres", "blog", "the-blog", "{\"project\":\"blog\",\n\"n\":3}")
	h.send(t, "php", "shop", "the-blog", `{"project":"shop"}`)
	h.send(t, "php", "shop", "the-shop", `{"project":"blog"}`)
	h.send(t, "php", "shop", "the-shop", `{"project":"shop"`)
	h.send(t, "php", "shop", "the-shop", `[{"project":"shop"}]`)
	h.send(t, "php", "other", "the-shop", `{"project":"other"}`)
	h.send(t, "ruby", "shop", "the-shop", `{"project":"shop"}`)
	require.NoError(t, os.WriteFile(filepath.Join(h.spool, "a.php.ndjson"), []byte(`{"project":"shop","n":4}`+"\n"), 0o660))
	require.Eventually(t, func() bool { return len(h.sent()) == 4 }, 10*time.Second, time.Millisecond)
	require.ElementsMatch(t, []string{
		`/ingest/php the-shop {"project":"shop","n":1}`, `/ingest/php the-shop {"project":"SHOP","n":2}`, `/ingest/postgres the-blog {"project":"blog", "n":3}`,
		`/ingest/php the-shop {"project":"shop","n":4}`,
	}, h.sent())
	want := map[string]int{"bad_mac": 1, "foreign_project": 1, "invalid": 2, "unknown_project": 1, "malformed": 1}
	require.Eventually(t, func() bool { return len(h.drops()) == len(want) }, 10*time.Second, time.Millisecond)
	require.Equal(t, want, h.drops())
	require.Contains(t, h.log.String(), `"msg":"records dropped","reason":"bad_mac","records":1,"bytes":`)
	require.NotContains(t, h.log.String(), "datagrams dropped", "one line says it")
	h.mu.Lock()
	defer h.mu.Unlock()
	require.Equal(t, 4, h.read)
}

// TestFullSpool: while the spool has no room datagrams wait in memory, up to a bound, and files where they are; all of these arrive.
func TestFullSpool(t *testing.T) {
	h := newHarness(t, func(cfg *ship.Config) { cfg.MaxBytes, cfg.DropOldest = 1<<20, false })
	filler := func(n int) string {
		text, random := make([]byte, 30_000), rand.New(rand.NewPCG(uint64(n), 0))
		for i := range text {
			text[i] = "0123456789abcdefghijklmnopqrstuv"[random.IntN(32)] // hardly to be compressed
		}
		return fmt.Sprintf(`{"project":"shop","n":%d,"filler":"%s"}`, n, text)
	}
	n := 0
	for ; !strings.Contains(h.log.String(), "datagrams cannot be kept"); n++ {
		h.send(t, "php", "shop", "the-shop", filler(n))
		time.Sleep(time.Millisecond)
		require.Less(t, n, 5000)
	}
	file := filepath.Join(h.spool, "a.php.ndjson")
	var records string
	for i := range 20 {
		records += filler(-1-i) + "\n"
	}
	require.NoError(t, os.WriteFile(file+".hidden", []byte(records), 0o660))
	require.NoError(t, os.Rename(file+".hidden", file))
	require.Eventually(t, func() bool { return strings.Contains(h.log.String(), "files of PHP agents cannot be taken") }, 10*time.Second, time.Millisecond)
	require.FileExists(t, file)
	h.ship(t)
	require.Eventually(t, func() bool {
		distinct := map[string]bool{}
		for _, line := range h.sent() {
			distinct[line] = true
		}
		return len(distinct) == n+20
	}, 20*time.Second, 10*time.Millisecond)
	require.Empty(t, h.drops())
}

// TestEnd: what has come when the relay is told to end is on disk when it has ended.
func TestEnd(t *testing.T) {
	h := newHarness(t)
	for n := range 50 {
		h.send(t, "php", "shop", "the-shop", fmt.Sprintf(`{"project":"shop","n":%d}`, n))
	}
	h.stop()
	h.ship(t)
	require.Eventually(t, func() bool { return len(h.sent()) == 50 }, 10*time.Second, time.Millisecond)
}
