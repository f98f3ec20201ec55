package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/bitville/listener/localdev/conns"
	"github.com/bitville/listener/shared/config"
)

// Limits of a connection, so that a client that does nothing costs nothing for long. A body has to come at a
// rate besides, and an answer has to be read: see ingest and api.
const (
	headerTimeout  = 10 * time.Second // handshake and headers, from the first byte of the connection on
	readTimeout    = 30 * time.Second // headers and body
	writeTimeout   = 75 * time.Second // body, store and answer
	idleTimeout    = 60 * time.Second
	connPatience   = 3 * time.Second // for which an idle connection keeps its place when there are too many
	maxHeaderBytes = 32<<10 - 4096   // net/http adds 4096
	maxStreams     = 64              // of an HTTP/2 connection
	streamBytes    = 256 << 10       // that an HTTP/2 connection may send before they are read
)

// newServer returns the server of the handler, and the listener that it must serve, which bounds another one's
// connections.
func newServer(cfg config.Config, log *slog.Logger, listener net.Listener, certificates *tls.Config, handler http.Handler) (*http.Server, *conns.Listener) {
	bounded := conns.Bound(listener, conns.Config{
		Max:           cfg.MaxConnections,
		MaxPerAddress: cfg.MaxConnections * 3 / 4,
		Proxies:       cfg.TrustedProxies,
		FirstRequest:  headerTimeout,
		Patience:      connPatience,
	})
	return &http.Server{
		Handler:           bounded.Handler(handler),
		ConnContext:       bounded.Context,
		TLSConfig:         certificates,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          maxStreams,
			MaxReceiveBufferPerConnection: streamBytes,
			MaxReceiveBufferPerStream:     streamBytes,
		},
		// net/http would answer "OPTIONS *" itself, without a request id.
		DisableGeneralOptionsHandler: true,

		ErrorLog: serverLog(log),
	}, bounded
}

// serverLog takes what net/http logs: clients' broken handshakes, of no interest to an operator, and a few
// things that are.
func serverLog(to *slog.Logger) *log.Logger {
	return log.New(writerFunc(func(line []byte) (int, error) {
		level := slog.LevelDebug
		if bytes.Contains(line, []byte("Accept error")) || bytes.Contains(line, []byte("panic")) {
			level = slog.LevelError
		}
		to.Log(context.Background(), level, strings.TrimSpace(string(line)))
		return len(line), nil
	}), "", 0)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
