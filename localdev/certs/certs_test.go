package certs

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const day = 24 * time.Hour

// pair is a certificate that signs itself, and its key.
type pair struct {
	cert, key []byte // PEM
	serial    string
}

var serials atomic.Int64

func newPair(t testing.TB, from, to time.Time, names ...string) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serials.Add(1)),
		Subject:      pkix.Name{CommonName: "a test"},
		NotBefore:    from,
		NotAfter:     to,
		DNSNames:     append(names, "localhost"),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return pair{
		cert:   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:    pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
		serial: template.SerialNumber.String(),
	}
}

func goodPair(t testing.TB) pair {
	return newPair(t, time.Now().Add(-time.Hour), time.Now().Add(90*day))
}

// write puts the pair into the files that a folder's configuration names.
func (p pair) write(t testing.TB, dir string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tls.crt"), p.cert, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tls.key"), p.key, 0o600))
}

// filesIn configures the pair in a folder, with a log that is kept.
func filesIn(dir string) (Config, *logBuffer) {
	buf := &logBuffer{}
	return Config{
		CertPath: filepath.Join(dir, "tls.crt"),
		KeyPath:  filepath.Join(dir, "tls.key"),
		Log:      slog.New(slog.NewJSONHandler(buf, nil)),
		Now:      time.Now,
		Every:    2 * time.Millisecond,
	}, buf
}

func open(t testing.TB, cfg Config) *Source {
	t.Helper()
	s, err := Open(t.Context(), cfg)
	require.NoError(t, err)
	return s
}

// run runs the source until the test ends or stop is called.
func run(t testing.TB, s *Source) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	stop = func() { cancel(); running.Wait() }
	t.Cleanup(stop)
	return stop
}

// serve serves "ok" over HTTPS with the source's certificates until the test ends or stop is called.
func serve(t testing.TB, s *Source, addr string) (at string, stop func()) {
	t.Helper()
	listener, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	server := &http.Server{
		TLSConfig: s.TLSConfig(),
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }),
		ErrorLog:  log.New(io.Discard, "", 0),
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.ServeTLS(listener, "", "") })
	stop = func() { _ = server.Close(); serving.Wait() }
	t.Cleanup(stop)
	return listener.Addr().String(), stop
}

// shown returns the leaf that a handshake shows to a client that asks for a name, or nil when it fails.
func shown(addr, name string) *x509.Certificate {
	conn, err := tls.Dial("tcp", addr, &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		return nil
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0]
}

func serial(addr string) string {
	if leaf := shown(addr, "localhost"); leaf != nil {
		return leaf.SerialNumber.String()
	}
	return "no handshake"
}

// logBuffer collects a log of JSON lines.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// lines returns the lines of a level.
func (b *logBuffer) lines(level slog.Level) (lines []string) {
	for line := range strings.Lines(b.String()) {
		var head struct{ Level slog.Level }
		if json.Unmarshal([]byte(line), &head) == nil && head.Level == level {
			lines = append(lines, line)
		}
	}
	return lines
}

const (
	soon   = 20 * time.Second // for what must happen
	sample = 2 * time.Millisecond
)
