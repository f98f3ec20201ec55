package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/config"
	"github.com/bitville/listener/shared/host"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

// notifySocket is systemd's end.
type notifySocket struct {
	path string
	conn *net.UnixConn
}

func newNotifySocket(t *testing.T) notifySocket {
	dir, err := os.MkdirTemp("", "notify") // a socket's path is short
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "socket")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return notifySocket{path, conn}
}

// next returns the next message within a time, or "".
func (s notifySocket) next(t *testing.T, within time.Duration) string {
	t.Helper()
	require.NoError(t, s.conn.SetReadDeadline(time.Now().Add(within)))
	buf := make([]byte, 4096)
	n, err := s.conn.Read(buf)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ""
	}
	require.NoError(t, err)
	return string(buf[:n])
}

// state returns the next message that is no ping.
func (s notifySocket) state(t *testing.T) string {
	t.Helper()
	for {
		if message := s.next(t, 10*time.Second); message != "WATCHDOG=1" {
			return message
		}
	}
}

func TestNotifier(t *testing.T) {
	socket := newNotifySocket(t)
	t.Setenv("NOTIFY_SOCKET", socket.path)
	var logged bytes.Buffer
	n := notifier{slog.New(slog.NewTextHandler(&logged, nil))}
	n.ready("serving on 127.0.0.1:8443")
	require.Equal(t, "READY=1\nSTATUS=serving on 127.0.0.1:8443", socket.next(t, time.Second))
	n.reloading()
	require.Equal(t, "RELOADING=1", socket.next(t, time.Second))
	n.stopping()
	require.Equal(t, "STOPPING=1\nSTATUS=stopping", socket.next(t, time.Second))
	require.Empty(t, logged.String())
	require.NoError(t, socket.conn.Close())
	n.reloading()
	require.Contains(t, logged.String(), "systemd cannot be told")

	logged.Reset()
	t.Setenv("NOTIFY_SOCKET", "")
	n.reloading()
	n.feedWatchdog(t.Context(), func() bool { t.Error("nobody asks"); return true })
	t.Setenv("WATCHDOG_USEC", "1000")
	t.Setenv("WATCHDOG_PID", "1") // another process's
	n.feedWatchdog(t.Context(), func() bool { t.Error("nobody asks"); return true })
	require.Empty(t, logged.String(), "systemd did not start this process")
	t.Setenv("WATCHDOG_USEC", "soon")
	n.feedWatchdog(t.Context(), func() bool { t.Error("nobody asks"); return true })
	require.Contains(t, logged.String(), "systemd's watchdog cannot be told")
}

// A process is alive for systemd while it answers, and not a moment longer.
func TestWatchdog(t *testing.T) {
	socket := newNotifySocket(t)
	t.Setenv("NOTIFY_SOCKET", socket.path)
	t.Setenv("WATCHDOG_USEC", "20000")
	t.Setenv("WATCHDOG_PID", fmt.Sprint(os.Getpid()))
	ctx, cancel := context.WithCancel(t.Context())
	var alive atomic.Bool
	alive.Store(true)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		notifier{slog.New(slog.DiscardHandler)}.feedWatchdog(ctx, alive.Load)
	}()
	for range 5 {
		require.Equal(t, "WATCHDOG=1", socket.next(t, 10*time.Second))
	}
	alive.Store(false)
	require.Eventually(t, func() bool { return socket.next(t, 200*time.Millisecond) == "" }, 10*time.Second, time.Millisecond)
	alive.Store(true)
	require.Equal(t, "WATCHDOG=1", socket.next(t, 10*time.Second))
	cancel()
	<-ended
}

// A database that is down is no reason to start anew; a handler that fails is.
func TestHealthyIsNotReady(t *testing.T) {
	db, path := sqlitetest.New(t)
	var logged bytes.Buffer
	h := newHandler(host.New(config.Config{}, db, slog.New(slog.NewJSONHandler(&logged, nil)), now, "", host.Unobserved))
	require.True(t, healthy(h)())
	require.Contains(t, logged.String(), `"path":"/health","status":200`)
	require.Contains(t, logged.String(), `"remote":"watchdog"`)
	require.NoError(t, os.Remove(path))
	require.Error(t, db.Ready(t.Context()))
	require.True(t, healthy(h)())
	require.False(t, healthy(http.NotFoundHandler())())
}

// The program tells systemd each turn of its life, and that it lives, as its unit asks it to.
func TestSystemdIsTold(t *testing.T) {
	socket := newNotifySocket(t)
	l := startListener(t, "NOTIFY_SOCKET="+socket.path, "WATCHDOG_USEC=100000")
	first := socket.state(t)
	require.True(t, strings.HasPrefix(first, "READY=1\nSTATUS="), first)
	require.Contains(t, first, strings.TrimPrefix(l.URL, "https://"), "the status tells the address")
	for range 3 {
		require.Equal(t, "WATCHDOG=1", socket.next(t, 10*time.Second))
	}
	require.NoError(t, l.Cmd.Process.Signal(syscall.SIGHUP))
	require.Equal(t, "RELOADING=1", socket.state(t))
	require.True(t, strings.HasPrefix(socket.state(t), "READY=1"))
	unlock := sqlitetest.Lock(t, l.DBPath)
	for range 3 {
		require.Equal(t, "WATCHDOG=1", socket.next(t, 10*time.Second), "a locked database is not a hung process")
	}
	unlock()
	require.NoError(t, l.Cmd.Process.Signal(syscall.SIGTERM))
	require.True(t, strings.HasPrefix(socket.state(t), "STOPPING=1"))
	require.NoError(t, <-l.Exit)
}
