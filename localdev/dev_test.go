package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
)

// TestDevLink opens the link of `listener dev` as a browser does: it logs in, and shows the record that the printed curl
// posts. The read key is in no line of the log, and in no address that the browser keeps.
func TestDevLink(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(binary, "dev")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "BITVILLE_LISTEN_ADDR=127.0.0.1:0", "BITVILLE_LOG_LEVEL=debug")
	out, log := &listenertest.Log{}, &listenertest.Log{}
	cmd.Stdout, cmd.Stderr = out, log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	link := regexp.MustCompile(`(?m)^  (https://localhost:\d+/traces/\S+\?key=(\S+))$`)
	require.Eventually(t, func() bool { return link.MatchString(out.String()) }, 10*time.Second, 5*time.Millisecond)
	found := link.FindStringSubmatch(out.String())

	pem, err := os.ReadFile(filepath.Join(dir, devDir, "cert.pem"))
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(pem))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Transport: transport, Jar: jar, Timeout: 10 * time.Second}
	open := func(address string) (res *http.Response, page string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		require.NoError(t, err)
		req.Header.Set("Accept", "text/html")
		res, err = browser.Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return res, string(body)
	}
	res, _ := open(found[1])
	require.Equal(t, http.StatusNotFound, res.StatusCode, "nothing is posted yet")

	curl := regexp.MustCompile(`(?m)^  (curl .*)$`).FindStringSubmatch(out.String())[1]
	answer, err := exec.Command("bash", "-c", curl).CombinedOutput()
	require.NoError(t, err, "%s", answer)
	id, err := os.ReadFile(filepath.Join(dir, devDir, "record-id"))
	require.NoError(t, err)
	for _, address := range []string{found[1], strings.TrimSuffix(found[1], "?key="+found[2])} { // the second time by the cookie
		res, page := open(address)
		require.Equal(t, http.StatusOK, res.StatusCode, page)
		require.Equal(t, "/traces/shop/"+string(id), res.Request.URL.RequestURI())
		require.Contains(t, page, "<title>/cart")
		require.Contains(t, page, "Cart::total")
	}

	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait())
	require.Contains(t, log.String(), "/traces/"+string(id))
	require.NotContains(t, log.String(), found[2])
}
