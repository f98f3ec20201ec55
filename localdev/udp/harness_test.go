package udp

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
)

const (
	oldKey  = "shop-key-0123456789"
	newKey  = "shop-key-new-0123456789"
	blogKey = "blog-key-0123456789"
)

// config is what tests start from: two projects, one of them with two keys.
func config(db Store) Config {
	return Config{
		Addr: "127.0.0.1:0",
		Keys: []auth.Key{{Project: "my_shop", Secret: oldKey}, {Project: "my_shop", Secret: newKey}, {Project: "blog", Secret: blogKey}, {Project: "my old site", Secret: blogKey + "-old"}},
		Sources: map[string]record.Source{
			"php":      {ID: "php_agent", NameField: "request_uri", MaxNameBytes: 8192},
			"postgres": {ID: "postgres_agent", NameField: "query", MaxNameBytes: 64 << 10},
		},
		Retention: 168 * time.Hour,
		Store:     db,
		Log:       slog.New(slog.DiscardHandler),
		Now:       time.Now,
		Drop:      func(Reason, int) {},
		Count:     func(store.Count) {},
	}
}

// outcome counts what became of datagrams.
type outcome struct {
	mu       sync.Mutex
	dropped  map[Reason]int
	stored   map[origin]store.Result
	rejected map[origin]int
}

// watched has the outcome told.
func watched(cfg *Config) *outcome {
	o := &outcome{dropped: make(map[Reason]int), stored: make(map[origin]store.Result), rejected: make(map[origin]int)}
	cfg.Drop = func(reason Reason, n int) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.dropped[reason] += n
	}
	cfg.Count = func(c store.Count) {
		o.mu.Lock()
		defer o.mu.Unlock()
		from := origin{c.Source, c.Project}
		if o.rejected[from] += len(c.Rejected); len(c.Rejected) == 0 {
			all := o.stored[from]
			o.stored[from] = store.Result{Accepted: all.Accepted + c.Stored.Accepted, Duplicates: all.Duplicates + c.Stored.Duplicates}
		}
	}
	return o
}

func (o *outcome) drops(reason Reason) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.dropped[reason]
}

func (o *outcome) accepted() (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.stored {
		n += r.Accepted
	}
	return n
}

// all is how many datagrams have an outcome.
func (o *outcome) all() (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.stored {
		n += r.Accepted + r.Duplicates
	}
	for _, dropped := range o.dropped {
		n += dropped
	}
	return n
}

func (o *outcome) requireAll(t testing.TB, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return o.all() >= n }, 20*time.Second, time.Millisecond)
	require.Equal(t, n, o.all())
}

// start runs a receiver until stop is called or the test ends.
func start(t testing.TB, cfg Config) (client *net.UDPConn, stop func()) {
	t.Helper()
	r, err := Listen(cfg)
	require.NoError(t, err)
	return dial(t, r), run(t, r)
}

func run(t testing.TB, r *Receiver) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Run(ctx)
	}()
	stop = func() {
		t.Helper()
		cancel()
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			require.Fail(t, "it did not end")
		}
	}
	t.Cleanup(stop)
	return stop
}

func dial(t testing.TB, r *Receiver) *net.UDPConn {
	t.Helper()
	conn, err := net.Dial("udp", r.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn.(*net.UDPConn)
}

func send(t testing.TB, client net.Conn, datagrams ...string) {
	t.Helper()
	for _, d := range datagrams {
		_, err := client.Write([]byte(d))
		require.NoError(t, err)
	}
}

// sign makes a datagram; line is the first one without its MAC and the space before that.
func sign(key, line, body string) string {
	return fmt.Sprintf("%s %x\n%s", line, hmacOf(key, line+" "+body), body)
}

func hmacOf(key, text string) []byte {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

func line(source, project string) string {
	return fmt.Sprintf("bv1 %s %s %d", source, project, time.Now().Unix())
}

// text is the JSON of the n-th of many PHP records.
func text(project string, n int) string {
	return fmt.Sprintf(`{"project":%q,"correlation_id":"00000000-0000-4000-8000-%012x","timestamp":%d.25,"duration_ms":1.50,`+
		`"request_uri":"/page/%d","profiling_data":{"main()":{"wt":%d}},"extra":[1,2.50]}`, project, n, time.Now().Unix(), n, n)
}

func valid(n int) string { return sign(newKey, line("php", "my_shop"), text("my_shop", n)) }

func gzipped(t testing.TB, body string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write([]byte(body))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.String()
}

// requireSilence looks for a moment whether anything came back, and be it that nobody listens.
func requireSilence(t *testing.T, client net.Conn) {
	t.Helper()
	require.NoError(t, client.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
	_, err := client.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}
