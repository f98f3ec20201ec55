package libsqltest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// Fault is what a Proxy does to one request.
type Fault int

// The faults between a listener and its server.
const (
	None      Fault = iota
	CutBefore       // the connection ends, and the statement never arrives
	CutAfter        // the statement is run, and the connection ends before its answer
	CutInside       // the same, in the middle of the answer
	Stall           // nothing is answered, for as long as the client waits
	Status500       // the server says that it failed
	Status429       // the server asks for patience
	Garbage         // an answer that is no answer: {}
	HTML            // a page, as a gateway sends it
	Slow            // the answer takes a second longer
)

// Proxy stands between a listener and a Server and injects faults.
type Proxy struct {
	URL      string
	Requests atomic.Int64

	fault func(request int64) Fault
}

// NewProxy starts a proxy in front of a server. fault tells what to do to the n-th request, from 1.
func NewProxy(t testing.TB, server *Server, fault func(n int64) Fault) *Proxy {
	p := &Proxy{fault: fault}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.serve(w, r, server.URL) }))
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
	})
	p.URL = front.URL
	return p
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request, backend string) {
	fault := p.fault(p.Requests.Add(1))
	body, err := io.ReadAll(r.Body)
	if err != nil || fault == CutBefore {
		cut(w, nil)
		return
	}
	switch fault {
	case Stall:
		select {
		case <-r.Context().Done():
		case <-time.After(time.Minute):
		}
		return
	case Status500:
		http.Error(w, `{"error":"internal"}`, http.StatusInternalServerError)
		return
	case Status429:
		http.Error(w, `{"error":"Too many requests"}`, http.StatusTooManyRequests)
		return
	case Garbage:
		_, _ = io.WriteString(w, "{}")
		return
	case HTML:
		_, _ = io.WriteString(w, "<html>Bad gateway</html>")
		return
	}
	if fault == Slow {
		time.Sleep(time.Second)
	}
	resp, err := http.Post(backend+r.URL.Path, r.Header.Get("Content-Type"), bytes.NewReader(body))
	if err != nil {
		cut(w, nil)
		return
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	switch {
	case err != nil || fault == CutAfter:
		cut(w, nil)
	case fault == CutInside:
		cut(w, append([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"), answer[:len(answer)/2]...))
	default:
		w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
		w.WriteHeader(resp.StatusCode)
		_, _ = w.Write(answer)
	}
}

// cut ends a connection after the given bytes.
func cut(w http.ResponseWriter, last []byte) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	_, _ = conn.Write(last)
	_ = conn.Close()
}
