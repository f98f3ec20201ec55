package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
)

// testCA signs certificates for 127.0.0.1.
type testCA struct {
	key    *ecdsa.PrivateKey
	cert   *x509.Certificate
	serial int64
}

func newTestCA(t *testing.T, path string) *testCA {
	ca := &testCA{cert: &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}}
	var err error
	ca.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, ca.cert, ca.cert, &ca.key.PublicKey, ca.key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return ca
}

// issue writes a new pair and returns its serial number.
func (ca *testCA) issue(t *testing.T, certPath, keyPath string) int64 {
	ca.serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(ca.serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(30 * 24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, &ca.key.PublicKey, ca.key)
	require.NoError(t, err)
	key, err := x509.MarshalPKCS8PrivateKey(ca.key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(certPath, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(keyPath, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}), 0o600))
	return ca.serial
}

// A hundred new certificates while agents connect anew for each record: none of them notices. A broken one is
// logged and counted, and the last good one stays.
func TestReloadUnderLoad(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "pair.pem"), filepath.Join(dir, "pair.key")
	ca := newTestCA(t, filepath.Join(dir, "ca.pem"))
	ca.issue(t, cert, key)
	l := startListenerTrusting(t, filepath.Join(dir, "ca.pem"), "BITVILLE_TLS_CERT_PATH="+cert, "BITVILLE_TLS_KEY_PATH="+key, "BITVILLE_METRICS_ADDR=127.0.0.1:0")
	shown := func() int64 { return l.dial(t).ConnectionState().PeerCertificates[0].SerialNumber.Int64() }

	var n atomic.Int64
	var agents sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		transport := &http.Transport{TLSClientConfig: l.Client.Transport.(*http.Transport).TLSClientConfig.Clone(), DisableKeepAlives: true}
		agent := listenertest.Listener{URL: l.URL, Key: l.Key, Client: &http.Client{Transport: transport, Timeout: 30 * time.Second}}
		agents.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if status, answer := agent.Post(strings.NewReader(phpRecord(int(n.Add(1))))); status != 200 {
					t.Errorf("%d %s", status, answer)
					return
				}
			}
		})
	}
	for range 100 {
		serial := ca.issue(t, cert, key)
		require.NoError(t, l.Cmd.Process.Signal(syscall.SIGHUP))
		require.Eventually(t, func() bool { return shown() == serial }, 10*time.Second, 2*time.Millisecond)
	}
	close(stop)
	agents.Wait()
	require.Greater(t, n.Load(), int64(100), "records posted meanwhile")

	require.NoError(t, os.WriteFile(cert, []byte("broken"), 0o600))
	require.NoError(t, l.Cmd.Process.Signal(syscall.SIGHUP))
	require.Eventually(t, func() bool {
		return strings.Contains(l.scrape(t), "bitville_certificate_last_reload_successful 0\n")
	}, 10*time.Second, 10*time.Millisecond)
	require.Eventually(t, func() bool { return strings.Contains(l.Log.String(), "BITVILLE_TLS_CERT_PATH") }, 10*time.Second, 10*time.Millisecond)
	require.Equal(t, ca.serial, shown())
	ca.issue(t, cert, key)
	require.Eventually(t, func() bool { return shown() == ca.serial }, 30*time.Second, 100*time.Millisecond, "taken without a signal")
	require.Contains(t, l.scrape(t), "bitville_certificate_last_reload_successful 1\n")
}

// scrape returns the metrics.
func (l *listener) scrape(t *testing.T) string {
	t.Helper()
	var serving struct{ Addr string }
	require.True(t, l.Log.Find("serving metrics", &serving))
	res, err := http.Get("http://" + serving.Addr + "/metrics")
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, 200, res.StatusCode)
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(text)
}
