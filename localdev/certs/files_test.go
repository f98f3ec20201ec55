package certs

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A new pair is taken without being told of, whatever way it came, and connections that are open stay.
func TestChangedFilesAreTaken(t *testing.T) {
	replace := map[string]func(t *testing.T, dir string, p pair){
		"written": func(t *testing.T, dir string, p pair) { p.write(t, dir) },
		"renamed, with the times of the old one": func(t *testing.T, dir string, p pair) {
			next := t.TempDir()
			p.write(t, next)
			for _, name := range []string{"tls.crt", "tls.key"} {
				info, err := os.Stat(filepath.Join(dir, name))
				require.NoError(t, err)
				require.NoError(t, os.Chtimes(filepath.Join(next, name), info.ModTime(), info.ModTime()))
				require.NoError(t, os.Rename(filepath.Join(next, name), filepath.Join(dir, name)))
			}
		},
		"behind a symlink, as Kubernetes and certbot do": func(t *testing.T, dir string, p pair) {
			p.write(t, linked(t, dir, "v2"))
		},
	}
	for name, replace := range replace {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			old, next := goodPair(t), goodPair(t)
			old.write(t, linked(t, dir, "v1"))
			for _, name := range []string{"tls.crt", "tls.key"} {
				require.NoError(t, os.Symlink(filepath.Join("..data", name), filepath.Join(dir, name)))
			}
			cfg, buf := filesIn(dir)
			s := open(t, cfg)
			run(t, s)
			addr, _ := serve(t, s, "127.0.0.1:0")
			client := trusting(t, old)
			get(t, client, addr)
			require.Equal(t, old.serial, serial(addr))

			replace(t, dir, next)
			require.Eventually(t, func() bool { return serial(addr) == next.serial }, soon, sample)
			get(t, client, addr) // on its old connection: it does not trust the new certificate
			_, err := trusting(t, old).Get("https://" + addr)
			require.Error(t, err)

			status := s.Status()
			require.EqualValues(t, 1, status.Reloads)
			require.Zero(t, status.Failures, buf)
			require.Empty(t, status.Err)
			require.Equal(t, cfg.CertPath, status.Path)
		})
	}
}

// linked points ..data to a new folder, in one step, and returns that.
func linked(t *testing.T, dir, name string) string {
	real := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(real, 0o700))
	link := filepath.Join(dir, "..data")
	require.NoError(t, os.Symlink(name, link+".next"))
	require.NoError(t, os.Rename(link+".next", link))
	return real
}

// trusting makes a client that keeps one connection and takes this certificate alone.
func trusting(t *testing.T, p pair) *http.Client {
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(p.cert))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, MaxConnsPerHost: 1}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: soon}
}

func get(t *testing.T, client *http.Client, addr string) {
	t.Helper()
	resp, err := client.Get("https://" + addr)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body) // or the connection is not used again
	require.NoError(t, err)
	require.Equal(t, "ok", string(body))
}

// A pair that cannot be used leaves the old one in force, is one error in the log and one failure, whether a
// signal or a look found it, and is forgotten with the next good pair.
func TestBrokenReplacement(t *testing.T) {
	now := time.Now()
	dir := func(cfg Config) string { return filepath.Dir(cfg.CertPath) }
	both := func(p pair) func(*testing.T, Config) {
		return func(t *testing.T, cfg Config) { p.write(t, dir(cfg)) }
	}
	next := goodPair(t)
	for name, c := range map[string]struct {
		breaks func(*testing.T, Config)
		want   string
	}{
		"garbage for a certificate": {both(pair{cert: []byte("garbage"), key: next.key}), "failed to find any PEM data in certificate input"},
		"garbage for a key":         {both(pair{cert: next.cert, key: []byte("garbage")}), "failed to find any PEM data in key input"},
		"half a key":                {both(pair{cert: next.cert, key: next.key[:len(next.key)/2]}), "failed to find any PEM data in key input"},
		"a key's insides changed":   {both(pair{cert: next.cert, key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("not a key")})}), "failed to parse private key"},
		"empty files":               {both(pair{}), "failed to find any PEM data in certificate input"},
		"another's key":             {both(pair{cert: next.cert, key: goodPair(t).key}), "private key does not match public key"},
		"expired":                   {both(newPair(t, now.Add(-day), now.Add(-time.Hour))), "it expired on " + now.Add(-time.Hour).UTC().Format(time.RFC3339)},
		"not yet valid":             {both(newPair(t, now.Add(time.Hour), now.Add(day))), "it is not valid before " + now.Add(time.Hour).UTC().Format(time.RFC3339)},
		"no certificate":            {func(t *testing.T, cfg Config) { require.NoError(t, os.Remove(cfg.CertPath)) }, "no such file or directory"},
		"no key":                    {func(t *testing.T, cfg Config) { require.NoError(t, os.Remove(cfg.KeyPath)) }, "no such file or directory"},
	} {
		for how, find := range map[string]func(s *Source){
			"told": func(s *Source) { require.ErrorContains(t, s.Reload(), c.want) },
			"seen": func(*Source) {},
		} {
			t.Run(name+", "+how, func(t *testing.T) {
				cfg, buf := filesIn(t.TempDir())
				old := goodPair(t)
				old.write(t, dir(cfg))
				s := open(t, cfg)
				addr, _ := serve(t, s, "127.0.0.1:0")
				c.breaks(t, cfg)
				find(s)
				looks := s.kind.(*files).look
				for range 5 {
					looks()
				}
				require.Equal(t, old.serial, serial(addr))
				status := s.Status()
				require.Zero(t, status.Reloads)
				require.EqualValues(t, 1, status.Failures)
				require.Contains(t, status.Err, c.want)
				require.Contains(t, status.Err, "BITVILLE_TLS_CERT_PATH, BITVILLE_TLS_KEY_PATH")
				require.WithinDuration(t, now.Add(90*day), status.NotAfter, time.Hour)
				require.Len(t, buf.lines(slog.LevelError), 1)
				require.Contains(t, buf.String(), c.want)
				block, _ := pem.Decode(next.key)
				require.NotContains(t, buf.String(), base64.StdEncoding.EncodeToString(block.Bytes)[:40], "no keys in the log")

				next.write(t, dir(cfg))
				looks()
				looks()
				require.Equal(t, next.serial, serial(addr))
				require.Empty(t, s.Status().Err)
			})
		}
	}
}

// A pair of which one half is written before the other is no failure, however often one looks in between.
func TestHalfReplaced(t *testing.T) {
	dir := t.TempDir()
	cfg, buf := filesIn(dir)
	old, next := goodPair(t), goodPair(t)
	old.write(t, dir)
	s := open(t, cfg)
	f := s.kind.(*files)
	f.look()
	require.NoError(t, os.WriteFile(cfg.CertPath, next.cert[:100], 0o600))
	f.look()
	require.NoError(t, os.WriteFile(cfg.CertPath, next.cert, 0o600))
	f.look()
	next.write(t, dir)
	f.look()
	require.Zero(t, s.Status().Reloads, "the first look may have come too early")
	f.look()
	require.EqualValues(t, 1, s.Status().Reloads)
	require.Zero(t, s.Status().Failures, buf)
	f.look()
	require.EqualValues(t, 1, s.Status().Reloads, "nothing has changed since")
}

// A pair that is not valid yet is taken when it is.
func TestValidLater(t *testing.T) {
	cfg, _ := filesIn(t.TempDir())
	now := time.Now()
	cfg.Now = func() time.Time { return now }
	goodPair(t).write(t, filepath.Dir(cfg.CertPath))
	s := open(t, cfg)
	newPair(t, now.Add(time.Hour), now.Add(day)).write(t, filepath.Dir(cfg.CertPath))
	require.Error(t, s.Reload())
	now = now.Add(2 * time.Hour)
	s.kind.(*files).look()
	s.kind.(*files).look()
	require.Empty(t, s.Status().Err)
}

// Clients that connect all the while see two hundred replacements and no failure.
func TestReloadsUnderLoad(t *testing.T) {
	const reloads, clients = 200, 2
	cfg, buf := filesIn(t.TempDir())
	goodPair(t).write(t, filepath.Dir(cfg.CertPath))
	s := open(t, cfg)
	run(t, s)
	addr, _ := serve(t, s, "127.0.0.1:0")
	var stop atomic.Bool
	var served atomic.Int64
	var seen sync.Map
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for !stop.Load() {
				transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}
				resp, err := (&http.Client{Transport: transport, Timeout: soon}).Get("https://" + addr)
				if err != nil {
					t.Errorf("request %d: %v", served.Load(), err)
					return
				}
				_ = resp.Body.Close()
				seen.Store(resp.TLS.PeerCertificates[0].SerialNumber.String(), true)
				served.Add(1)
			}
		})
	}
	for range reloads {
		p := goodPair(t)
		p.write(t, filepath.Dir(cfg.CertPath))
		require.NoError(t, s.Reload(), buf)
		require.Equal(t, p.serial, serial(addr))
		before := served.Load()
		require.Eventually(t, func() bool { return served.Load() > before || t.Failed() }, soon, sample)
	}
	stop.Store(true)
	wg.Wait()
	different := 0
	seen.Range(func(any, any) bool { different++; return true })
	require.Greater(t, different, reloads/4, "the clients met the replacements")
	require.GreaterOrEqual(t, s.Status().Reloads, uint64(reloads))
}

func TestCannotOpen(t *testing.T) {
	cfg, _ := filesIn(t.TempDir())
	_, err := Open(t.Context(), cfg)
	require.EqualError(t, err, "load the certificate (BITVILLE_TLS_CERT_PATH, BITVILLE_TLS_KEY_PATH): open "+cfg.CertPath+": no such file or directory")
	pair{cert: goodPair(t).cert, key: goodPair(t).key}.write(t, filepath.Dir(cfg.CertPath))
	_, err = Open(t.Context(), cfg)
	require.EqualError(t, err, "load the certificate (BITVILLE_TLS_CERT_PATH, BITVILLE_TLS_KEY_PATH): tls: private key does not match public key")
}

// What clients are offered: HTTP/2 and old HTTP, TLS from 1.2, and no session tickets.
func TestTLSConfig(t *testing.T) {
	cfg, _ := filesIn(t.TempDir())
	goodPair(t).write(t, filepath.Dir(cfg.CertPath))
	addr, _ := serve(t, open(t, cfg), "127.0.0.1:0")
	for _, proto := range []string{"h2", "http/1.1", "http/1.0"} {
		conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{proto}})
		require.NoError(t, err)
		require.Equal(t, proto, conn.ConnectionState().NegotiatedProtocol)
		require.NoError(t, conn.Close())
	}
	_, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	require.Error(t, err)
	resumes := &tls.Config{InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	for range 2 {
		transport := &http.Transport{TLSClientConfig: resumes, DisableKeepAlives: true}
		resp, err := (&http.Client{Transport: transport, Timeout: soon}).Get("https://" + addr)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.False(t, resp.TLS.DidResume)
	}
}
