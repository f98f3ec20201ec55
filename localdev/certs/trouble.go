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
	maxAnswer = 1 << 20 // bytes; above what an authority answers, a chain of certificates at most
	pollPause = "3"     // seconds, whatever the authority suggests
)

// trouble is the way to the authority, and keeps what last went wrong on it: autocert tells only that "no viable
// challenge type" was found when the authority said why it could not reach us, and nothing of a renewal's failure.
type trouble struct {
	way http.RoundTripper
	run context.Context // autocert asks under contexts of its own, which outlive Run; this one ends them

	mu   sync.Mutex
	last string
}

// RoundTrip sends a request and reads the whole answer.
func (t *trouble) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	defer cancel()
	defer context.AfterFunc(t.run, cancel)()
	resp, err := t.way.RoundTrip(req.WithContext(ctx))
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
		// autocert sleeps so long between two looks at an order, and Run's end waits for it.
		resp.Header.Set("Retry-After", pollPause)
	}
	var answer struct { // a problem document, or an authorization that failed
		Type, Detail string
		Challenges   []struct{ Error struct{ Detail string } }
	}
	_ = json.Unmarshal(body, &answer)                 // a chain of certificates is no JSON
	if !strings.HasSuffix(answer.Type, ":badNonce") { // which is tried again
		t.note(answer.Detail)
	}
	for _, challenge := range answer.Challenges {
		t.note(challenge.Error.Detail)
	}
	return resp, nil
}

func (t *trouble) note(text string) {
	if text == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = strings.ToValidUTF8(text[:min(len(text), 500)], "")
}

func (t *trouble) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = ""
}

// explain adds to an error what last went wrong.
func (t *trouble) explain(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == "" || strings.Contains(err.Error(), t.last) {
		return err
	}
	return fmt.Errorf("%w: %s", err, t.last)
}
