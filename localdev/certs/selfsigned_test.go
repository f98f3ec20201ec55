package certs

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func selfSignedIn(dir string) (Config, *logBuffer) {
	cfg, buf := filesIn(dir)
	cfg.CertPath, cfg.KeyPath, cfg.SelfSignedDir = "", "", dir
	return cfg, buf
}

// The pair is made once, is good for every name of this machine, and the log says how agents trust it.
func TestSelfSigned(t *testing.T) {
	dir := t.TempDir()
	cfg, buf := selfSignedIn(dir)
	s := open(t, cfg)
	path := filepath.Join(dir, "cert.pem")
	require.Equal(t, path, s.Status().Path)
	require.WithinDuration(t, time.Now().Add(selfSignedFor), s.Status().NotAfter, time.Minute)
	require.Contains(t, buf.String(), `"php_curl":"CURLOPT_CAINFO => '`+path+`'"`)
	require.Contains(t, buf.String(), `"guzzle":"'verify' => '`+path+`'"`)
	for name, want := range map[string]os.FileMode{"cert.pem": 0o644, "key.pem": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, want, info.Mode().Perm(), name)
	}

	addr, _ := serve(t, s, "127.0.0.1:0")
	made, err := os.ReadFile(path)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(made))
	host, err := os.Hostname()
	require.NoError(t, err)
	names := []string{"localhost", "127.0.0.1", "::1", host}
	own, err := net.InterfaceAddrs()
	require.NoError(t, err)
	for _, addr := range own {
		if ip := addr.(*net.IPNet).IP; ip.IsGlobalUnicast() {
			names = append(names, ip.String())
		}
	}
	for _, name := range names {
		conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: roots, ServerName: name})
		require.NoError(t, err, name)
		require.NoError(t, conn.Close())
		require.Contains(t, buf.String(), name, "the log says what it is good for")
	}

	cfg, buf = selfSignedIn(dir)
	open(t, cfg)
	kept, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, made, kept)
	require.NotContains(t, buf.String(), "made a self-signed certificate")
	require.Contains(t, buf.String(), "give agents this file to trust", "each start says so")
}

// A relative folder is told as an absolute path: agents have another working folder.
func TestSelfSignedPathIsAbsolute(t *testing.T) {
	t.Chdir(t.TempDir())
	cfg, _ := selfSignedIn(".")
	require.True(t, filepath.IsAbs(open(t, cfg).Status().Path))
}

// Half a pair is not guessed at: the key may be what somebody needs.
func TestSelfSignedHalf(t *testing.T) {
	for _, name := range []string{"cert.pem", "key.pem"} {
		dir := t.TempDir()
		cfg, _ := selfSignedIn(dir)
		open(t, cfg)
		require.NoError(t, os.Remove(filepath.Join(dir, name)))
		_, err := Open(t.Context(), cfg)
		require.EqualError(t, err, "load the self-signed certificate (remove "+dir+"/cert.pem and "+dir+"/key.pem, and the listener makes new ones): open "+dir+"/"+name+": no such file or directory")
	}
}

// Somebody may put a pair of their own in place of the made one; when an authority signed it, agents need no file.
func TestSelfSignedReplaced(t *testing.T) {
	dir := t.TempDir()
	cfg, _ := selfSignedIn(dir)
	s := open(t, cfg)
	run(t, s)
	addr, _ := serve(t, s, "127.0.0.1:0")
	authority := goodPair(t)
	p := signedBy(t, authority)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "cert.pem"), p.cert, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "key.pem"), p.key, 0o600))
	require.Eventually(t, func() bool { return serial(addr) == p.serial }, soon, sample)

	cfg, buf := selfSignedIn(dir)
	open(t, cfg)
	require.Empty(t, buf.lines(slog.LevelInfo))
}

// signedBy makes a pair whose certificate another signed.
func signedBy(t *testing.T, authority pair) pair {
	t.Helper()
	ca, err := tls.X509KeyPair(authority.cert, authority.key)
	require.NoError(t, err)
	p := goodPair(t)
	own, err := tls.X509KeyPair(p.cert, p.key)
	require.NoError(t, err)
	template := *own.Leaf
	template.Subject.CommonName, template.RawSubject = "a leaf", nil
	der, err := x509.CreateCertificate(rand.Reader, &template, ca.Leaf, own.Leaf.PublicKey, ca.PrivateKey)
	require.NoError(t, err)
	p.cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return p
}
