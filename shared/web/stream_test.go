package web

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type deadlines struct{ *httptest.ResponseRecorder }

func (deadlines) SetReadDeadline(time.Time) error { return nil }

// endless is a body that always has more.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	return len(p), nil
}

func TestDrainOfAStreamIsBounded(t *testing.T) {
	var body endless
	drainStream(http.NewResponseController(deadlines{httptest.NewRecorder()}), &body)
	require.Equal(t, maxDrained, body.read)
	drainStream(http.NewResponseController(httptest.NewRecorder()), &body)
	require.Equal(t, maxDrained, body.read, "a host without deadlines is not waited for")
}
