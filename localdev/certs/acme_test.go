package certs

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// acmeOf configures domains for a pebble that is not there yet.
func acmeOf(dir string, domains ...string) (Config, *logBuffer) {
	cfg, buf := filesIn(dir)
	cfg.CertPath, cfg.KeyPath = "", ""
	cfg.ACME = ACME{Domains: domains, Email: "ops@shop.test", CacheDir: filepath.Join(dir, "acme")}
	return cfg, buf
}

func (p *pebble) configure(cfg *Config) {
	cfg.ACME.DirectoryURL, cfg.ACME.Client = p.Directory, p.Client
}

// verified returns the leaf that a domain's clients are shown, or nil when they would not trust it.
func (p *pebble) verified(addr, domain string) *x509.Certificate {
	conn, err := tls.Dial("tcp", addr, &tls.Config{ServerName: domain, RootCAs: p.Roots})
	if err != nil {
		return nil
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0]
}

// A certificate for each domain comes from the authority, by challenges on the listener's own port; strangers
// cause nothing; the next process takes them from the cache, whether the authority is there or not.
func TestACME(t *testing.T) {
	t.Parallel()
	cfg, buf := acmeOf(t.TempDir(), "shop.test", "WWW.Shop.test")
	addr := freeAddr(t)
	_, port, _ := net.SplitHostPort(addr)
	p := startPebble(t, port, time.Hour)
	p.configure(&cfg)
	s := open(t, cfg)
	_, stopServing := serve(t, s, addr)
	require.Nil(t, shown(addr, "shop.test"), "there is no certificate yet")
	require.Zero(t, s.Status().NotAfter)
	require.Zero(t, p.orders(), "nobody but Run asks for one")

	stopRun := run(t, s)
	for _, domain := range cfg.ACME.Domains {
		require.Eventually(t, func() bool { return p.verified(addr, domain) != nil }, soon, sample, "%s: %s", domain, buf)
	}
	require.Equal(t, 2, p.orders(), p.program.log)
	shop, www := p.verified(addr, "shop.test"), p.verified(addr, "www.shop.test")
	require.NotEqual(t, shop.SerialNumber, www.SerialNumber)
	status := s.Status()
	require.Equal(t, cfg.ACME.CacheDir, status.Path)
	require.EqualValues(t, 2, status.Reloads)
	require.Zero(t, status.Failures, buf)
	require.WithinDuration(t, shop.NotAfter, status.NotAfter, time.Minute)
	require.Empty(t, buf.lines(slog.LevelWarn), "an hour is short, and as it should be")

	first := p.verified(addr, "shop.test")
	for _, stranger := range []string{"other.test", "a.shop.test", "xn--", strings.Repeat("a.", 100) + "test", ""} {
		require.Equal(t, first.Raw, shown(addr, stranger).Raw, "%q", stranger)
		_, err := tls.Dial("tcp", addr, &tls.Config{ServerName: stranger, InsecureSkipVerify: true, NextProtos: []string{"acme-tls/1"}})
		require.Error(t, err, "no challenge is under way")
	}
	_, err := tls.Dial("tcp", addr, &tls.Config{ServerName: "shop.test", InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12,
		CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}})
	require.Error(t, err, "there are no RSA certificates")
	require.Equal(t, 2, p.orders())

	info, err := os.Stat(cfg.ACME.CacheDir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	for _, name := range []string{"acme_account+key", "shop.test", "www.shop.test"} {
		info, err := os.Stat(filepath.Join(cfg.ACME.CacheDir, name))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}

	restart := func() {
		stopRun()
		stopServing()
		s = open(t, cfg)
		_, stopServing = serve(t, s, addr)
		require.Equal(t, first.Raw, p.verified(addr, "shop.test").Raw, "at once")
		stopRun = run(t, s)
		time.Sleep(100 * cfg.Every) // whatever it does not do in these looks it does not do
		require.Equal(t, first.Raw, p.verified(addr, "shop.test").Raw)
		require.Zero(t, s.Status().Failures)
	}
	restart()
	require.Equal(t, 2, p.orders())
	p.program.stop()
	restart()
}

// A certificate is renewed in time though it is valid for seconds.
func TestACMERenewal(t *testing.T) {
	t.Parallel()
	cfg, buf := acmeOf(t.TempDir(), "shop.test")
	addr := freeAddr(t)
	_, port, _ := net.SplitHostPort(addr)
	p := startPebble(t, port, 18*time.Second)
	p.configure(&cfg)
	s := open(t, cfg)
	run(t, s)
	serve(t, s, addr)
	require.Eventually(t, func() bool { return p.verified(addr, "shop.test") != nil }, soon, sample, "%s", buf)
	first := p.verified(addr, "shop.test")
	for leaf := first; leaf.SerialNumber.Cmp(first.SerialNumber) == 0; time.Sleep(sample) {
		leaf = p.verified(addr, "shop.test")
		require.NotNil(t, leaf, "no client is refused meanwhile: %s\n%s", buf, p.program.log)
	}
	require.Equal(t, p.verified(addr, "shop.test").NotAfter, s.Status().NotAfter)
	require.EqualValues(t, 2, s.Status().Reloads)
	require.Zero(t, s.Status().Failures, buf)
}

// A renewal that does not come is told, with the reason, and the old certificate stays.
func TestACMERenewalFails(t *testing.T) {
	t.Parallel()
	cfg, buf := acmeOf(t.TempDir(), "shop.test")
	cfg.ACME.DirectoryURL = "https://" + freeAddr(t)
	start := time.Now()
	var passed atomic.Int64
	cfg.Now = func() time.Time { return start.Add(time.Duration(passed.Load())) }
	// A third of its life is left, and an hour less: autocert's turn; and it is not late yet.
	old := newPair(t, start.Add(-40*day), start.Add(20*day-100*time.Minute), "shop.test")
	require.NoError(t, os.Mkdir(cfg.ACME.CacheDir, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(cfg.ACME.CacheDir, "shop.test"), append(old.key, old.cert...), 0o600))
	s := open(t, cfg)
	transport := s.kind.(*authority).domains[0].transport
	run(t, s)
	require.Eventually(t, func() bool { return transport.explain(io.EOF) != io.EOF }, soon, sample, "autocert tries at once")
	time.Sleep(20 * cfg.Every)
	require.Zero(t, s.Status().Failures, "and is given time")
	passed.Store(int64(2 * time.Hour))
	require.Eventually(t, func() bool { return s.Status().Failures == 1 }, soon, sample)
	require.Contains(t, s.Status().Err, "the certificate of shop.test should have been renewed by ")
	require.Contains(t, s.Status().Err, "connection refused")
	require.Empty(t, buf.lines(slog.LevelWarn), "nineteen days are left")
	passed.Store(int64(7 * day))
	require.Eventually(t, func() bool { return s.Status().Failures == 2 }, soon, sample)
	require.Eventually(t, func() bool { return len(buf.lines(slog.LevelWarn)) == 1 }, soon, sample)
	addr, _ := serve(t, s, "127.0.0.1:0")
	require.Equal(t, old.serial, serial(addr))
}

// What the authority says is told: here nobody listens at the port that it asks.
func TestACMEChallengeFails(t *testing.T) {
	t.Parallel()
	cfg, buf := acmeOf(t.TempDir(), "shop.test")
	_, port, _ := net.SplitHostPort(freeAddr(t))
	p := startPebble(t, port, time.Hour)
	p.configure(&cfg)
	s := open(t, cfg)
	run(t, s)
	addr, _ := serve(t, s, "127.0.0.1:0")
	require.Eventually(t, func() bool { return s.Status().Failures > 0 }, soon, sample)
	require.Contains(t, s.Status().Err, "get a certificate for shop.test (BITVILLE_ACME_DOMAINS; the authority must reach this listener at port 443 of it): ")
	require.Contains(t, s.Status().Err, "Failed to connect to 127.0.0.1:"+port)
	orders := p.orders()
	for range 20 {
		require.Nil(t, shown(addr, "shop.test"))
	}
	require.Equal(t, orders, p.orders(), "clients do not hurry it")
	require.Len(t, buf.lines(slog.LevelError), 1, "%s", buf)
	require.Contains(t, buf.String(), `"next_try":"2m0s"`)
}

// Run ends with its context though the authority does not answer.
func TestACMERunEnds(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer silent.Close()
	cfg, _ := acmeOf(t.TempDir(), "shop.test")
	cfg.ACME.DirectoryURL = "https://" + silent.Addr().String()
	stop := run(t, open(t, cfg))
	conn, err := silent.Accept()
	require.NoError(t, err)
	defer conn.Close()
	start := time.Now()
	stop()
	require.Less(t, time.Since(start), 20*time.Second, "autocert alone would wait for minutes")
}

// What ends first is what an operator must know.
func TestACMESoonest(t *testing.T) {
	cfg, _ := acmeOf(t.TempDir(), "a.test", "b.test", "c.test", "none.test")
	require.NoError(t, os.Mkdir(cfg.ACME.CacheDir, 0o700))
	soonest := time.Now().Add(40 * day).Truncate(time.Second).UTC()
	for name, end := range map[string]time.Time{"a.test": soonest.Add(day), "b.test": soonest, "c.test": soonest.Add(2 * day)} {
		p := newPair(t, time.Now().Add(-day), end, name)
		require.NoError(t, os.WriteFile(filepath.Join(cfg.ACME.CacheDir, name), append(p.key, p.cert...), 0o600))
	}
	require.Equal(t, soonest, open(t, cfg).Status().NotAfter)
}

// A folder that was open to others is closed to them, and so are the keys in it.
func TestACMECacheIsTightened(t *testing.T) {
	cfg, buf := acmeOf(t.TempDir(), "shop.test")
	dir := cfg.ACME.CacheDir
	require.NoError(t, os.Mkdir(dir, 0o755))
	for _, name := range []string{"acme_account+key", "shop.test"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
	}
	mode := func(path string) os.FileMode {
		info, err := os.Stat(path)
		require.NoError(t, err)
		return info.Mode().Perm()
	}
	open(t, cfg)
	require.Equal(t, os.FileMode(0o700), mode(dir))
	require.Equal(t, os.FileMode(0o600), mode(filepath.Join(dir, "acme_account+key")))
	require.Equal(t, os.FileMode(0o600), mode(filepath.Join(dir, "shop.test")))
	require.Len(t, buf.lines(slog.LevelWarn), 3)
	open(t, cfg)
	require.Len(t, buf.lines(slog.LevelWarn), 3, "once")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2, "the probe is gone")
}

func TestACMECannotOpen(t *testing.T) {
	cfg, _ := acmeOf(t.TempDir(), "shop.test")
	require.NoError(t, os.Mkdir(cfg.ACME.CacheDir, 0o700))
	require.NoError(t, os.Chmod(cfg.ACME.CacheDir, 0o777|os.ModeSticky))
	_, err := Open(t.Context(), cfg)
	require.EqualError(t, err, "open the ACME cache (BITVILLE_ACME_CACHE_DIR): "+cfg.ACME.CacheDir+" is a folder for all users: name a folder that only ACME uses")

	require.NoError(t, os.Remove(cfg.ACME.CacheDir))
	require.NoError(t, os.WriteFile(cfg.ACME.CacheDir, nil, 0o600))
	_, err = Open(t.Context(), cfg)
	require.EqualError(t, err, "open the ACME cache (BITVILLE_ACME_CACHE_DIR): "+cfg.ACME.CacheDir+" is a file where a folder must be")
}

// What cannot be kept is said: the next process would ask for it again.
func TestACMECacheCannotBeWritten(t *testing.T) {
	cfg, buf := acmeOf(t.TempDir(), "shop.test")
	s := open(t, cfg)
	require.NoError(t, os.RemoveAll(cfg.ACME.CacheDir))
	require.NoError(t, os.WriteFile(cfg.ACME.CacheDir, nil, 0o600))
	require.Error(t, s.kind.(*authority).domains[0].manager.Cache.Put(t.Context(), "shop.test", nil))
	require.Len(t, buf.lines(slog.LevelError), 1)
}
