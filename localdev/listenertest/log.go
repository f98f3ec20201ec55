package listenertest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"sync"
)

// Log collects a log of JSON lines.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write takes what the process logs.
func (b *Log) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *Log) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// Find decodes the last line with the given message, and tells whether there is one.
func (b *Log) Find(msg string, into any) bool {
	found := false
	for lines := bufio.NewScanner(bytes.NewBufferString(b.String())); lines.Scan(); {
		var head struct{ Msg string }
		if json.Unmarshal(lines.Bytes(), &head) == nil && head.Msg == msg {
			found = json.Unmarshal(lines.Bytes(), into) == nil
		}
	}
	return found
}
