package ship

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/auth"
)

// TestPartlyRejected: a 200 keeps the rejected records aside, each with its reason, and forgets the others.
func TestPartlyRejected(t *testing.T) {
	l := newListener(t)
	const words = `{"accepted":1,"duplicates":1,"rejected":[{"index":1,"details":[{"path":"timestamp","message":"is required"}]},{"index":3,"details":[{"path":"query","message":"is required"}]}]}`
	l.set(status(200, words))
	h := newHarness(t, l)
	require.NoError(t, h.Put(rec(0), rec(1)))
	require.NoError(t, h.Put(rec(2), rec(3)))
	h.run(t)
	require.NoError(t, h.Drain(t.Context()))
	name, lines := h.only(t, "rejected", ".gz")
	require.Regexp(t, `^\d{16}-2-shop\.postgres\.ndjson\.gz$`, name)
	require.Equal(t, string(rec(1))+"\n"+string(rec(3))+"\n", lines)
	_, why := h.only(t, "rejected", name+".error")
	require.Equal(t, "200 OK\n"+words+"\n", why)
	require.Empty(t, h.files(t, "spool"))
	require.Equal(t, 1, h.counts.get("sent accepted"))
	require.Equal(t, 1, h.counts.get("sent duplicate"))
	require.Equal(t, 2, h.counts.get("sent rejected"))
	require.Equal(t, int64(2*block), h.Bytes())
	said := h.logged(t, "records rejected")
	require.Len(t, said, 1)
	require.Equal(t, "ERROR", said[0]["level"])
	require.Equal(t, []any{200., 2., filepath.Join(h.cfg.Dir, "rejected", name)}, []any{said[0]["status"], said[0]["records"], said[0]["file"]})
	require.Contains(t, said[0]["error"], "is required")

	// What people have mended and moved back is sent again, under its old name or another.
	require.NoError(t, os.Rename(filepath.Join(h.rejected, name), filepath.Join(h.spool, name)))
	require.NoError(t, os.Remove(filepath.Join(h.rejected, name+".error")))
	require.NoError(t, os.WriteFile(filepath.Join(h.spool, "mended.postgres.ndjson"), []byte(`{"project":"Blog","n":7}`+"\n"), 0o600))
	l.set(acceptAll)
	h.clock.add(lookEvery)
	h.ring()
	eventually(t, func() bool { return len(l.lines()) == 7 }, "they are sent")
	require.ElementsMatch(t, []string{string(rec(1)), string(rec(3)), `{"project":"Blog","n":7}`}, l.lines()[4:])
	eventually(t, func() bool { return len(h.files(t, "spool")) == 0 && h.Bytes() == 0 }, "and gone")
}

// TestRefusedForGood: a 400 is kept aside at once with the listener's words, and what comes behind it is sent.
func TestRefusedForGood(t *testing.T) {
	for _, code := range []int{400, 413} {
		l := newListener(t)
		l.set(func(w http.ResponseWriter, r request) {
			if strings.Contains(r.lines[0], `"n":1}`) {
				status(code, `{"error":"Its words"}`)(w, r)
				return
			}
			acceptAll(w, r)
		})
		h := newHarness(t, l)
		h.run(t)
		for n := range 3 {
			require.NoError(t, h.Put(rec(n)))
			require.NoError(t, h.Drain(t.Context()))
		}
		name, lines := h.only(t, "rejected", ".gz")
		require.Equal(t, string(rec(1))+"\n", lines)
		_, why := h.only(t, "rejected", name+".error")
		require.Equal(t, fmt.Sprintf("%d %s\n{\"error\":\"Its words\"}\n", code, http.StatusText(code)), why)
		require.Equal(t, 2, h.counts.get("sent accepted"))
		require.Equal(t, 1, h.counts.get("sent rejected"))
		require.Len(t, h.logged(t, "records rejected"), 1)
	}
}

// TestTooLarge: what is too large is halved until it is not.
func TestTooLarge(t *testing.T) {
	l := newListener(t)
	l.set(func(w http.ResponseWriter, r request) {
		if len(r.lines) > 3 || strings.Contains(r.body, "alone") {
			status(413, "too large")(w, r)
			return
		}
		acceptAll(w, r)
	})
	h := newHarness(t, l)
	var all []string
	for n := range 20 {
		require.NoError(t, h.Put(rec(n)))
		all = append(all, string(rec(n)))
	}
	h.run(t)
	require.NoError(t, h.Drain(t.Context()))
	var taken []string
	for _, r := range l.got() {
		if len(r.lines) <= 3 {
			taken = append(taken, r.lines...)
		}
	}
	require.ElementsMatch(t, all, taken)
	require.Empty(t, h.files(t, "spool"))
	require.Empty(t, h.files(t, "rejected"))
	require.Zero(t, h.Bytes())
}

// TestWrongKey: a wrong key, or a wrong URL, throws nothing away. It is tried each minute, loudly; after an hour what waits is kept aside; and
// when people have mended it all is sent.
func TestWrongKey(t *testing.T) {
	for _, code := range []int{401, 404} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			var isMended atomic.Bool
			l := newListener(t)
			l.set(func(w http.ResponseWriter, r request) {
				if r.key == "the-shop" && (code == 401 || !isMended.Load()) {
					status(code, `{"error":"Unknown API key"}`)(w, r)
					return
				}
				acceptAll(w, r)
			})
			h := newHarness(t, l, func(cfg *Config) {
				cfg.Keys = func() ([]auth.Key, error) {
					secret := auth.Secret("the-shop")
					if isMended.Load() && code == 401 {
						secret = "the-new"
					}
					return []auth.Key{{Project: "shop", Secret: secret}, {Project: "blog", Secret: "the-blog"}}, nil
				}
			})
			h.run(t)
			asked := func() (n int) {
				for _, r := range l.got() {
					if r.key == "the-shop" {
						n++
					}
				}
				return n
			}
			require.NoError(t, h.Put(rec(0)))
			for minute := range 59 {
				eventually(t, func() bool { return len(h.logged(t, "records rejected")) == minute+1 }, "it is tried")
				h.clock.add(refusedPause - time.Second)
				h.ring()
				if minute == 3 {
					require.NoError(t, h.PutTo(Stream{"php", "blog"}, []byte(`{"project":"blog"}`)), "other projects do not wait")
					eventually(t, func() bool { return h.counts.get("sent accepted") == 1 }, "they are sent")
				}
				time.Sleep(2 * time.Millisecond)
				require.Equal(t, minute+1, asked(), "once a minute")
				h.clock.add(time.Second)
				h.ring()
			}
			eventually(t, func() bool { return len(h.logged(t, "records rejected")) == 60 }, "each time it is said")
			require.Empty(t, h.files(t, "rejected"))
			require.NoError(t, h.Put(rec(1)))
			h.clock.add(2 * refusedPause)
			h.ring()
			eventually(t, func() bool { return len(h.files(t, "rejected")) == 4 }, "after an hour it is kept aside, and what waited behind it")
			for _, name := range h.files(t, "rejected") {
				if strings.HasSuffix(name, ".error") {
					why, err := os.ReadFile(filepath.Join(h.rejected, name))
					require.NoError(t, err)
					require.Equal(t, fmt.Sprintf("%d %s\n{\"error\":\"Unknown API key\"}\n", code, http.StatusText(code)), string(why))
				}
			}

			isMended.Store(true)
			require.NoError(t, h.Put(rec(2)))
			eventually(t, func() bool {
				h.clock.add(refusedPause)
				h.ring()
				return h.counts.get("sent accepted") == 4
			}, "all is sent")
			require.NoError(t, h.Drain(t.Context()))
			require.Empty(t, h.files(t, "rejected"), "all was brought back")
			require.Zero(t, h.Bytes())
			for n := range 3 {
				require.Contains(t, l.lines(), string(rec(n)))
			}
		})
	}
}

// TestNextKey: of several keys of a project each is tried, before anybody is told.
func TestNextKey(t *testing.T) {
	l := newListener(t)
	l.set(func(w http.ResponseWriter, r request) {
		if r.key != "third" {
			status(401, "")(w, r)
			return
		}
		acceptAll(w, r)
	})
	h := newHarness(t, l, func(cfg *Config) {
		cfg.Keys = func() ([]auth.Key, error) {
			return []auth.Key{{Project: "shop", Secret: "first"}, {Project: "shop", Secret: "limited", Routes: []string{"/v1/traces"}}, {Project: "shop", Secret: "second"}, {Project: "shop", Secret: "third"}}, nil
		}
	})
	h.run(t)
	for n := range 2 {
		require.NoError(t, h.Put(rec(n)))
		require.NoError(t, h.Drain(t.Context()))
	}
	var keys []string
	for _, r := range l.got() {
		keys = append(keys, r.key)
	}
	require.Equal(t, []string{"first", "second", "third", "third"}, keys)
	require.Empty(t, h.logged(t, "records rejected"))
}

// TestAway: what does not answer, or answers what no listener does, is told once, and tried until it does.
func TestAway(t *testing.T) {
	for _, c := range []struct {
		name, msg string
		answer    func(w http.ResponseWriter, r request)
		isUp      bool
	}{
		{"hangs up", "listener unreachable", func(http.ResponseWriter, request) { panic(http.ErrAbortHandler) }, false},
		{"is another server", "listener unreachable", status(200, "<h1>Welcome</h1>"), false},
		{"is another JSON server", "listener unreachable", status(200, `{"ok":true}`), false},
		{"cuts its answer", "listener unreachable", func(w http.ResponseWriter, _ request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "{")
		}, false},
		{"busy", "listener takes nothing now", status(503, "busy"), true},
		{"throttled", "listener takes nothing now", status(429, "wait"), true},
		{"broken", "listener takes nothing now", status(500, "fault"), true},
		{"a proxy's", "listener takes nothing now", status(502, "Bad Gateway"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newListener(t)
			l.set(c.answer)
			h := newHarness(t, l)
			h.run(t)
			for n := range 3 {
				require.NoError(t, h.Put(rec(n)))
			}
			for try := range 6 {
				eventually(t, func() bool { return h.failures() == try+1 }, "it is tried")
				eventually(t, func() bool { return h.Up() == c.isUp }, "it is known")
				h.clock.add(lastPause)
				h.ring()
			}
			l.set(acceptAll)
			h.clock.add(lastPause)
			h.ring()
			require.NoError(t, h.Drain(t.Context()))
			require.Len(t, h.logged(t, c.msg), 1)
			require.Len(t, h.logged(t, "listener back"), 1)
			require.True(t, h.Up())
			require.Equal(t, 3, h.counts.get("sent accepted"))
			require.Empty(t, h.files(t, "rejected"))
		})
	}
}

// TestRefusedConnection: nobody listens.
func TestRefusedConnection(t *testing.T) {
	l := newListener(t)
	l.Close()
	h := newHarness(t, l)
	stop := h.run(t)
	require.NoError(t, h.Put(rec(0)))
	eventually(t, func() bool { return len(h.logged(t, "listener unreachable")) == 1 }, "it is said")
	require.False(t, h.Up())
	require.GreaterOrEqual(t, h.counts.get("posted none"), 1)
	stop()
	require.NoError(t, h.Close())
	name, lines := h.only(t, "spool", ".gz")
	require.NotEqual(t, ".", name[:1])
	require.Equal(t, string(rec(0))+"\n", lines)
}

// TestWrongCertificate: the log says what to set, and when the file of certificates is mended nothing has to be restarted.
func TestWrongCertificate(t *testing.T) {
	l := newListener(t)
	right, err := os.ReadFile(l.ca)
	require.NoError(t, err)
	other, err := os.ReadFile("testdata/other.pem")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(l.ca, other, 0o600))
	h := newHarness(t, l)
	h.run(t)
	require.NoError(t, h.Put(rec(0)))
	eventually(t, func() bool { return len(h.logged(t, "listener unreachable")) == 1 }, "it is said")
	require.Contains(t, h.logged(t, "listener unreachable")[0]["error"], "; set BITVILLE_CA_PATH to the listener's cert.pem")
	require.NoError(t, os.WriteFile(l.ca, right, 0o600))
	eventually(t, func() bool {
		h.clock.add(lastPause)
		h.ring()
		return h.counts.get("sent accepted") == 1
	}, "it is sent")
}

// TestSilentListener: one that never answers keeps nobody from putting, nor the process from ending.
func TestSilentListener(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	l := newListener(t)
	h := newHarness(t, l, func(cfg *Config) { cfg.URL = "https://" + silent.Addr().String() })
	stop := h.run(t)
	for n := range 20 {
		require.NoError(t, h.Put(rec(n)))
	}
	ended := make(chan struct{})
	go func() { stop(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(8 * time.Second):
		t.Fatal("it did not end")
	}
}

// TestFaultOfOneBody: a 500 that one body alone meets does not hold up the others.
func TestFaultOfOneBody(t *testing.T) {
	l := newListener(t)
	l.set(func(w http.ResponseWriter, r request) {
		if slices.Contains(r.lines, string(rec(0))) {
			status(500, "fault")(w, r)
			return
		}
		acceptAll(w, r)
	})
	h := newHarness(t, l, func(cfg *Config) { cfg.FlushInterval = time.Hour })
	for n := range 3 {
		require.NoError(t, h.Put(rec(n)))
		h.mu.Lock()
		require.NoError(t, h.cut(h.growing[h.cfg.Stream]))
		h.mu.Unlock()
	}
	h.run(t)
	eventually(t, func() bool {
		h.clock.add(lastPause)
		h.ring()
		return h.counts.get("sent accepted") == 2
	}, "the others are sent")
	require.Len(t, h.files(t, "spool"), 1)
}

// TestLastTries: what is there when the process is told to end is still sent, if the listener takes it at once.
func TestLastTries(t *testing.T) {
	l := newListener(t)
	h := newHarness(t, l, func(cfg *Config) { cfg.FlushInterval = time.Hour })
	require.NoError(t, h.Put(rec(0)))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, h.Run(ctx))
	require.Equal(t, []string{string(rec(0))}, l.lines())
	require.NoError(t, h.Close())
	require.Empty(t, h.files(t, "spool"))
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "0": 0, "-3": 0, "soon": 0, "999999999": maxPause,
		"Sat, 28 Nov 2026 12:00:30 GMT": 30 * time.Second, "Sat, 28 Nov 2026 11:00:00 GMT": 0,
	} {
		require.Equal(t, want, retryAfter(text, now), text)
	}
}
