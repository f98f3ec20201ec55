// Package conns limits the connections of a listener, in total and for each client address. At the limit, a new connection
// replaces the one that has been idle longest, if it was idle for Config.Patience; otherwise the new one is refused. So of a
// crowd that connects at once, the first ones are served. A connection that sends no request in time is closed. A client
// that opens thousands of connections and sends nothing loses them, oldest first.
package conns

import (
	"container/list"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bitville/listener/shared/clientip"
)

// Config says how many connections there may be.
type Config struct {
	Max           int              // in total
	MaxPerAddress int              // for one client address; for IPv6, a /64
	Proxies       clientip.Proxies // have many clients behind them; only Max limits them
	FirstRequest  time.Duration    // time from the connection to its first request; later it is closed
	Patience      time.Duration    // an idle connection keeps its place at least this long
}

// Stats counts connections.
type Stats struct {
	Open    int
	Closed  uint64 // by the listener: to make room, or because no request came in time
	Refused uint64 // because no open connection was idle long enough
}

// Listener is a net.Listener with limits. The server's ConnContext must be Listener.Context, and the server's handler must come
// from Listener.Handler.
type Listener struct {
	net.Listener
	cfg Config

	mu      sync.Mutex
	open    map[*conn]struct{}
	sources map[netip.Prefix]*source
	silent  list.List // of *conn without a request so far, oldest first

	closed, refused atomic.Uint64
}

// source is a client address with open connections.
type source struct {
	open   int
	silent list.List // of its *conn without a request so far, oldest first
}

// conn is one connection.
type conn struct {
	net.Conn
	of        *Listener
	from      netip.Prefix
	asking    atomic.Int32 // requests under way
	idleSince atomic.Int64 // Unix nanoseconds
	impatient *time.Timer
	first     sync.Once        // the first request
	silent    [2]*list.Element // in the lists of the listener and of the source; nil once it has asked
}

// Bound returns a listener that limits the connections of another.
func Bound(inner net.Listener, cfg Config) *Listener {
	return &Listener{Listener: inner, cfg: cfg, open: make(map[*conn]struct{}), sources: make(map[netip.Prefix]*source)}
}

// Stats returns how many connections are open, and how many were closed and refused.
func (l *Listener) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Stats{Open: len(l.open), Closed: l.closed.Load(), Refused: l.refused.Load()}
}

// Accept returns the next connection for which there is room.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		inner, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.admit(inner); c != nil {
			return c, nil
		}
		l.refused.Add(1)
		_ = inner.Close()
	}
}

// admit registers a connection, and closes another one when it must make room. It returns nil when no other may be closed.
func (l *Listener) admit(inner net.Conn) *conn {
	peer, _ := netip.ParseAddrPort(inner.RemoteAddr().String())
	address := peer.Addr().Unmap()
	c := &conn{Conn: inner, of: l, from: clientip.Network(address)}
	c.idleSince.Store(time.Now().UnixNano())
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sources[c.from]
	var victim *conn
	switch {
	case s != nil && s.open >= l.cfg.MaxPerAddress && !l.cfg.Proxies.Contain(address):
		if victim = l.idlest(&s.silent, &c.from); victim == nil {
			return nil
		}
	case len(l.open) >= l.cfg.Max:
		if victim = l.idlest(&l.silent, nil); victim == nil {
			return nil
		}
	}
	if victim != nil {
		l.closed.Add(1)
		l.forget(victim)
		_ = victim.Conn.Close()
	}
	if s = l.sources[c.from]; s == nil {
		s = &source{}
		l.sources[c.from] = s
	}
	s.open++
	l.open[c] = struct{}{}
	c.silent = [2]*list.Element{l.silent.PushBack(c), s.silent.PushBack(c)}
	c.impatient = time.AfterFunc(l.cfg.FirstRequest, c.tooSilent)
	return c
}

// idlest returns the connection to close for a new one: the oldest without a request, else the one whose last request ended
// longest ago. With from it looks at this source only. It returns nil when no connection was idle for Patience.
func (l *Listener) idlest(silent *list.List, from *netip.Prefix) (found *conn) {
	since := time.Now().Add(-l.cfg.Patience).UnixNano()
	if oldest := silent.Front(); oldest != nil && oldest.Value.(*conn).idleSince.Load() <= since {
		return oldest.Value.(*conn)
	}
	for c := range l.open {
		if idle := c.idleSince.Load(); c.asking.Load() == 0 && idle <= since && (from == nil || c.from == *from) {
			found, since = c, idle
		}
	}
	return found
}

// forget removes a connection from all lists. A second call does nothing.
func (l *Listener) forget(c *conn) {
	if _, ok := l.open[c]; !ok {
		return
	}
	delete(l.open, c)
	c.impatient.Stop()
	s := l.sources[c.from]
	c.speak(s)
	if s.open--; s.open == 0 {
		delete(l.sources, c.from)
	}
}

// speak removes a connection from the lists of silent connections.
func (c *conn) speak(s *source) {
	if c.silent[0] != nil {
		c.of.silent.Remove(c.silent[0])
		s.silent.Remove(c.silent[1])
		c.silent = [2]*list.Element{}
	}
}

func (c *conn) tooSilent() {
	c.of.mu.Lock()
	_, open := c.of.open[c]
	silent := c.silent[0] != nil
	c.of.mu.Unlock()
	if open && silent {
		c.of.closed.Add(1)
		_ = c.Close()
	}
}

// Close closes the connection, for the server.
func (c *conn) Close() error {
	c.of.mu.Lock()
	c.of.forget(c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

type contextKey struct{}

// Context is for the server's ConnContext: Handler finds the connection by it.
func (l *Listener) Context(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	return context.WithValue(ctx, contextKey{}, c)
}

// Handler wraps the server's handler and tells the listener which connections have requests under way.
func (l *Listener) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(contextKey{}).(*conn); ok {
			c.asking.Add(1)
			c.first.Do(c.spoke)
			defer func() {
				c.idleSince.Store(time.Now().UnixNano())
				c.asking.Add(-1)
			}()
		}
		next.ServeHTTP(w, r)
	})
}

// spoke records the first request.
func (c *conn) spoke() {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if s := c.of.sources[c.from]; s != nil {
		c.impatient.Stop()
		c.speak(s)
	}
}
