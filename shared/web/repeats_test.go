package web_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/web"
)

// While a store fails the log has a line for each cause at once, and then one a minute that counts: at debug it has
// them all. Other errors have a line each.
func TestRepeatedRefusalsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		var answer error
		handler := func(level slog.Level) http.Handler {
			return web.New(web.Config{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: level})), Observe: unobserved}, web.Routes{
				"POST /x": func(*web.Response, *http.Request) error { return answer },
			})
		}
		lines := func(h http.Handler, n int) []string {
			log.Reset()
			for range n {
				h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("POST", "/x", nil))
			}
			return strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n")
		}
		refuse := func(reason string, n int) error {
			return &web.Error{Status: 503, Text: "Not stored: " + reason, Cause: fmt.Errorf("port %d", n)} // a cause differs each time
		}
		h := handler(slog.LevelInfo)

		answer = refuse("the disk is full", 1)
		first := lines(h, 1000)
		require.Len(t, first, 1)
		require.Contains(t, first[0], "level=ERROR")
		require.NotContains(t, first[0], "alike")
		answer = refuse("the disk is full", 2)
		require.Equal(t, []string{""}, lines(h, 1000))
		answer = refuse("the database is locked", 3)
		require.Len(t, lines(h, 10), 1, "another cause has its own line")
		answer = &web.Error{Status: 503, Text: "Not ready", Fields: map[string]any{"database": "a", "uptime": 1}}
		require.Len(t, lines(h, 10), 1)
		answer = &web.Error{Status: 503, Text: "Not ready", Fields: map[string]any{"database": "b", "uptime": 2}}
		require.Len(t, lines(h, 10), 1)
		answer = errors.New("a bug")
		require.Len(t, lines(h, 10), 10, "a 500 is never left out")

		time.Sleep(time.Minute)
		answer = refuse("the disk is full", 4)
		later := lines(h, 1000)
		require.Len(t, later, 1)
		require.Contains(t, later[0], "alike_since_last_line=1999")
		require.Len(t, lines(handler(slog.LevelDebug), 10), 10)
	})
}
