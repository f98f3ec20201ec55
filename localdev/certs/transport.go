package certs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
)

const (
	maxAnswer = 1 << 20 // bytes; the largest answer is a certificate chain, far below
	pollPause = "3"     // seconds; replaces what the authority suggests
)

// transport sends requests to the authority and keeps the last failure. autocert loses it: when the authority says why it
// could not reach the listener, autocert reports only "no viable challenge type", and it reports no failed renewal.
type transport struct {
	next http.RoundTripper
	run  context.Context // ends the requests; autocert's own contexts outlive Run

	mu   sync.Mutex
	last string
}

// RoundTrip sends a request and reads the whole answer.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	defer cancel()
	defer context.AfterFunc(t.run, cancel)()
	resp, err := t.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		t.note(err.Error())
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		t.note(err.Error())
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if resp.StatusCode < 400 && resp.Header.Get("Retry-After") != "" {
		// autocert sleeps that long between two looks at an order, and Run cannot end before it wakes.
		resp.Header.Set("Retry-After", pollPause)
	}
	var answer struct { // a problem document or a failed authorization
		Type, Detail string
		Challenges   []struct{ Error struct{ Detail string } }
	}
	_ = json.Unmarshal(body, &answer)                 // a certificate chain is not JSON
	if !strings.HasSuffix(answer.Type, ":badNonce") { // autocert tries this again
		t.note(answer.Detail)
	}
	for _, challenge := range answer.Challenges {
		t.note(challenge.Error.Detail)
	}
	return resp, nil
}

func (t *transport) note(text string) {
	if text == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = strings.ToValidUTF8(text[:min(len(text), 500)], "")
}

func (t *transport) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = ""
}

// explain adds the last failure to an error.
func (t *transport) explain(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == "" || strings.Contains(err.Error(), t.last) {
		return err
	}
	return fmt.Errorf("%w: %s", err, t.last)
}
