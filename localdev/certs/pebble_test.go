package certs

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// pebble is an authority for tests, running.
type pebble struct {
	Directory string
	Client    *http.Client // trusts its API
	Roots     *x509.CertPool
	program   *program
}

// startPebble starts an authority that finds every name at 127.0.0.1, asks its challenges at tlsPort there, and
// issues certificates that are valid for so long.
func startPebble(t *testing.T, tlsPort string, validity time.Duration) *pebble {
	t.Helper()
	for _, name := range []string{"pebble", "pebble-challtestsrv"} {
		if _, err := exec.LookPath(name); err != nil {
			const how = "needs pebble, an ACME server: run 'sudo bash testdata/tools/install.sh pebble'"
			if os.Getenv("CI") == "true" {
				t.Fatal(how)
			}
			t.Skip(how)
		}
	}
	dir := t.TempDir()
	own := goodPair(t)
	own.write(t, dir)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(own.cert))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	p := &pebble{Client: &http.Client{Transport: transport, Timeout: 5 * time.Second}, Roots: x509.NewCertPool()}

	var dns string
	startProgram(t, func() (*exec.Cmd, func() bool) {
		dns = freeAddr(t)
		return exec.Command("pebble-challtestsrv", "-dns01", dns, "-management", freeAddr(t), "-defaultIPv6", "",
			"-http01", "", "-https01", "", "-tlsalpn01", ""), func() bool { return answers(dns) }
	})
	var management string
	p.program = startProgram(t, func() (*exec.Cmd, func() bool) {
		api := freeAddr(t)
		management = freeAddr(t)
		p.Directory = "https://" + api + "/dir"
		config := filepath.Join(dir, "pebble.json")
		require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `{"pebble":{"listenAddress":%q,"managementListenAddress":%q,
			"certificate":%q,"privateKey":%q,"tlsPort":%s,"certificateValidityPeriod":%d}}`,
			api, management, filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key"), tlsPort, int(validity.Seconds())), 0o600))
		cmd := exec.Command("pebble", "-config", config, "-dnsserver", dns)
		cmd.Env = append(cmd.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=10", "PEBBLE_AUTHZREUSE=0")
		return cmd, func() bool { return answers(api) && answers(management) }
	})
	resp, err := p.Client.Get("https://" + management + "/roots/0")
	require.NoError(t, err)
	defer resp.Body.Close()
	root, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.True(t, p.Roots.AppendCertsFromPEM(root))
	return p
}

// orders counts the certificates that were asked for.
func (p *pebble) orders() int { return strings.Count(p.program.log.String(), "Added order") }

// program is a process that ends with the test.
type program struct {
	log  *logBuffer
	stop func()
}

// startProgram starts a command and waits until it is ready. It is made anew, with other ports, when it ends
// before that: somebody else may have taken one meanwhile.
func startProgram(t *testing.T, command func() (cmd *exec.Cmd, ready func() bool)) *program {
	t.Helper()
	log := &logBuffer{}
	for range 3 {
		cmd, ready := command()
		cmd.Stdout, cmd.Stderr = log, log
		require.NoError(t, cmd.Start())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = cmd.Wait()
		}()
		stop := sync.OnceFunc(func() {
			_ = cmd.Process.Kill()
			<-ended
		})
		t.Cleanup(stop)
		for {
			select {
			case <-ended:
			case <-time.After(10 * time.Millisecond):
				if !ready() {
					continue
				}
				return &program{log, stop}
			}
			break
		}
	}
	t.Fatalf("it does not start:\n%s", log)
	return nil
}

// answers tells whether somebody listens.
func answers(addr string) bool {
	conn, err := net.Dial("tcp", addr)
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}

// freeAddr is an address of this machine where nobody listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}
