package conns_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/conns"
	"github.com/bitville/listener/shared/clientip"
)

const never = time.Hour

// server serves over TLS with bounded connections. /wait answers when the test is told of it and says so.
type server struct {
	*httptest.Server
	l       *conns.Listener
	waiting chan chan struct{}
}

func serve(t *testing.T, cfg conns.Config) *server {
	s := &server{waiting: make(chan chan struct{})}
	s.Server = httptest.NewUnstartedServer(nil)
	s.l = conns.Bound(s.Listener, cfg)
	s.Listener = s.l
	s.Config.ConnContext = s.l.Context
	s.Config.Handler = s.l.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			release := make(chan struct{})
			s.waiting <- release
			<-release
		}
		fmt.Fprint(w, "ok")
	}))
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	s.TLS = &tls.Config{NextProtos: []string{"h2", "http/1.1"}}
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// dial opens a connection from an address of the loopback network.
func (s *server) dial(t *testing.T, from string) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
	c, err := d.Dial("tcp", s.Server.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// client speaks over TLS on one connection of its own.
func (s *server) client(t *testing.T, from string) *http.Client {
	transport := s.Client().Transport.(*http.Transport).Clone()
	transport.DialContext = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}).DialContext
	transport.MaxConnsPerHost = 1
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

func get(t *testing.T, client *http.Client, url string) {
	t.Helper()
	res, err := client.Get(url)
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, "ok", string(body))
}

// requireClosed waits until the server has closed a connection.
func requireClosed(t *testing.T, c net.Conn) {
	t.Helper()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(10*time.Second)))
	_, err := c.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the connection is still open")
}

// requireOpen looks for a moment whether a connection is closed.
func requireOpen(t *testing.T, c net.Conn) {
	t.Helper()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
	_, err := c.Read(make([]byte, 1))
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}

func (s *server) requireOpenNow(t *testing.T, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return s.l.Stats().Open == n }, 10*time.Second, time.Millisecond, "%+v", s.l.Stats())
}

// The silent connection that is oldest makes room, of the same address when that has too many.
func TestTheOldestSilentOneMakesRoom(t *testing.T) {
	for name, c := range map[string]struct {
		cfg   conns.Config
		other string // where the connections beside it come from
	}{
		"in all":      {conns.Config{Max: 3, MaxPerAddress: 3, FirstRequest: never}, "127.0.0.2"},
		"per address": {conns.Config{Max: 9, MaxPerAddress: 3, FirstRequest: never}, "127.0.0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, c.cfg)
			good := s.client(t, "127.0.0.1")
			get(t, good, s.URL)
			oldest := s.dial(t, c.other)
			s.requireOpenNow(t, 2)
			next := s.dial(t, c.other)
			s.requireOpenNow(t, 3)
			last := s.dial(t, c.other)
			requireClosed(t, oldest)
			requireOpen(t, next)
			requireOpen(t, last)
			get(t, good, s.URL)
			require.Equal(t, conns.Stats{Open: 3, Closed: 1}, s.l.Stats(), "the one that asked is still the same")
		})
	}
}

// Where all have asked, the one that is idle for longest makes room; one that waits for its answer never does.
func TestTheIdlestMakesRoom(t *testing.T) {
	s := serve(t, conns.Config{Max: 2, MaxPerAddress: 2, FirstRequest: never})
	busy := s.client(t, "127.0.0.1")
	answered := make(chan error, 1)
	go func() {
		res, err := busy.Get(s.URL + "/wait")
		if err == nil {
			err = res.Body.Close()
		}
		answered <- err
	}()
	release := <-s.waiting
	get(t, s.client(t, "127.0.0.1"), s.URL)
	get(t, s.client(t, "127.0.0.1"), s.URL)
	require.Equal(t, conns.Stats{Open: 2, Closed: 1}, s.l.Stats())
	close(release)
	require.NoError(t, <-answered)
}

// Of a crowd that connects at once those that came first keep their places, whether they have asked or not.
func TestACrowd(t *testing.T) {
	s := serve(t, conns.Config{Max: 3, MaxPerAddress: 3, FirstRequest: never, Patience: never})
	asked := s.client(t, "127.0.0.1")
	get(t, asked, s.URL)
	first, second := s.dial(t, "127.0.0.1"), s.dial(t, "127.0.0.1")
	s.requireOpenNow(t, 3)
	for range 10 {
		requireClosed(t, s.dial(t, "127.0.0.1"))
	}
	requireOpen(t, first)
	requireOpen(t, second)
	get(t, asked, s.URL)
	require.Equal(t, conns.Stats{Open: 3, Refused: 10}, s.l.Stats())
}

// When every connection is in use the new one is refused.
func TestAllInUse(t *testing.T) {
	s := serve(t, conns.Config{Max: 1, MaxPerAddress: 1, FirstRequest: never})
	answered := make(chan error, 1)
	go func() {
		res, err := s.client(t, "127.0.0.1").Get(s.URL + "/wait")
		if err == nil {
			err = res.Body.Close()
		}
		answered <- err
	}()
	release := <-s.waiting
	requireClosed(t, s.dial(t, "127.0.0.1"))
	require.Equal(t, conns.Stats{Open: 1, Refused: 1}, s.l.Stats())
	close(release)
	require.NoError(t, <-answered)
}

// A proxy brings the connections of many clients.
func TestProxiesAreBoundedInAllAlone(t *testing.T) {
	s := serve(t, conns.Config{Max: 3, MaxPerAddress: 1, FirstRequest: never, Proxies: clientip.Proxies{netip.MustParsePrefix("127.0.0.1/32")}})
	first := s.dial(t, "127.0.0.1")
	for range 2 {
		s.dial(t, "127.0.0.1")
	}
	s.requireOpenNow(t, 3)
	requireOpen(t, first)
	s.dial(t, "127.0.0.1")
	requireClosed(t, first)
}

// Whoever asks nothing in time is closed: silent, in the middle of a handshake, or of a header, over either
// version of HTTP. Whoever has asked may be silent for as long as the server's own limits say.
func TestFirstRequestInTime(t *testing.T) {
	s := serve(t, conns.Config{Max: 99, MaxPerAddress: 99, FirstRequest: 300 * time.Millisecond})
	good := s.client(t, "127.0.0.1")
	get(t, good, s.URL)
	silent := s.dial(t, "127.0.0.1")
	handshake := s.dial(t, "127.0.0.1")
	_, err := handshake.Write([]byte{0x16, 3, 1})
	require.NoError(t, err)
	header := s.dialTLS(t, "http/1.1")
	_, err = header.Write([]byte("POST / HTTP/1.1\r\nHost: x\r\nX-Slow: "))
	require.NoError(t, err)
	preface := s.dialTLS(t, "h2")
	_, err = preface.Write([]byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00")) // and empty settings
	require.NoError(t, err)
	requireClosed(t, silent)
	requireClosed(t, handshake)
	requireClosed(t, header)
	requireEnds(t, preface)
	get(t, good, s.URL)
	s.requireOpenNow(t, 1)
	require.EqualValues(t, 4, s.l.Stats().Closed)
}

// Connections that end leave nothing behind, whoever ends them.
func TestEnds(t *testing.T) {
	s := serve(t, conns.Config{Max: 5, MaxPerAddress: 5, FirstRequest: never})
	for range 20 {
		c := s.dial(t, "127.0.0.1")
		s.requireOpenNow(t, 1)
		require.NoError(t, c.Close())
		s.requireOpenNow(t, 0)
	}
	client := s.client(t, "127.0.0.1")
	get(t, client, s.URL)
	client.CloseIdleConnections()
	s.requireOpenNow(t, 0)
	require.Zero(t, s.l.Stats().Closed)
}

// dialTLS speaks TLS with one protocol above.
func (s *server) dialTLS(t *testing.T, proto string) net.Conn {
	t.Helper()
	config := s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos = []string{proto}
	config.ServerName = "example.com" // as httptest's certificate says
	c := tls.Client(s.dial(t, "127.0.0.1"), config)
	require.NoError(t, c.Handshake())
	require.Equal(t, proto, c.ConnectionState().NegotiatedProtocol)
	return c
}

// requireEnds reads what the server has to say until it closes.
func requireEnds(t *testing.T, c net.Conn) {
	t.Helper()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(10*time.Second)))
	_, err := io.Copy(io.Discard, bufio.NewReader(c))
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the connection is still open")
}
