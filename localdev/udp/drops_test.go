package udp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

// logBuffer collects a log of JSON lines.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// lines returns the fields of the lines with a message.
func (b *logBuffer) lines(t testing.TB, msg string) (found []map[string]any) {
	for line := range strings.Lines(b.String()) {
		var fields map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &fields))
		if fields["msg"] == msg {
			delete(fields, "time")
			delete(fields, "msg")
			found = append(found, fields)
		}
	}
	return found
}

func logged(cfg *Config, level slog.Level) *logBuffer {
	b := &logBuffer{}
	cfg.Log = slog.New(slog.NewJSONHandler(b, &slog.HandlerOptions{Level: level}))
	return b
}

const dropsLine = "datagrams dropped"

func TestDropsAreLoggedTogether(t *testing.T) {
	t.Parallel() // for its end takes seconds
	mood := &moody{}
	mood.refuses.Store(true)
	cfg := config(mood)
	became := watched(&cfg)
	log := logged(&cfg, slog.LevelInfo)
	client, stop := start(t, cfg)
	bad := sign(newKey, line("php", "my_shop"), `{"secret":"payload"}`)
	send(t, client, "noise", "noise", bad, "noise", sign("forged", line("php", "my_shop"), ""), valid(1))
	became.requireAll(t, 5)
	require.Empty(t, log.lines(t, dropsLine), "the minute is not over")
	stop()
	require.Equal(t, []map[string]any{{
		"level": "WARN", "malformed": 3., "invalid": 1., "bad_mac": 1., "store": 1., "error": "store unavailable: the store is in no mood: cause",
	}}, log.lines(t, dropsLine))
	for _, secret := range []string{"secret", "payload", "/page/1", oldKey, newKey, blogKey} {
		require.NotContains(t, log.String(), secret)
	}
}

func TestDropsAreLoggedNowAndThen(t *testing.T) {
	cfg := config(nil)
	cfg.LogEvery = 20 * time.Millisecond
	log := logged(&cfg, slog.LevelInfo)
	r, err := Listen(cfg)
	require.NoError(t, err)
	r.dropped.note(errMood)
	r.drop(QueueFull, 2, 0)
	client, stop := dial(t, r), run(t, r)
	require.Eventually(t, func() bool { return len(log.lines(t, dropsLine)) == 1 }, 20*time.Second, time.Millisecond)
	for n := range 3 {
		send(t, client, "noise")
		require.Eventually(t, func() bool { return len(log.lines(t, dropsLine)) == n+2 }, 20*time.Second, time.Millisecond)
	}
	time.Sleep(5 * cfg.LogEvery)
	stop()
	one := map[string]any{"level": "WARN", "malformed": 1.}
	full := map[string]any{"level": "WARN", "queue_full": 2., "error": errMood.Error()}
	require.Equal(t, []map[string]any{full, one, one, one}, log.lines(t, dropsLine), "each is told once, and nothing when there is nothing")
}

func TestNothingIsLoggedOfWhatIsStored(t *testing.T) {
	db, _ := sqlitetest.New(t)
	cfg := config(db)
	cfg.LogEvery = time.Millisecond
	became := watched(&cfg)
	log := logged(&cfg, slog.LevelDebug)
	client, stop := start(t, cfg)
	send(t, client, valid(1))
	became.requireAll(t, 1)
	stop()
	require.Empty(t, log.lines(t, dropsLine))
}

// Who writes an agent gets no answer; the log at debug level has one.
func TestDebugTellsWhy(t *testing.T) {
	cfg := config(nil)
	became := watched(&cfg)
	log := logged(&cfg, slog.LevelDebug)
	at := time.Now()
	cfg.Now = func() time.Time { return at }
	client, _ := start(t, cfg)
	php, from := line("php", "my_shop"), client.LocalAddr().String()
	const first = `; the first line is "bv1 <source> <project> <Unix seconds> <MAC>"`
	send(t, client, "noise", "bv1 "+strings.Repeat("x", 2*maxLine), "bv1 php my_shop 1\n{}",
		sign(newKey, "bv1 php my_shop", "{}"), sign(newKey, line("mysql", "my_shop"), "{}"), sign(newKey, line("php", "shpo"), "{}"),
		sign(newKey, fmt.Sprint("bv1 php my_shop ", at.Unix()-61), "{}"), sign(newKey, php, "[]"), sign(newKey, php, "{"), sign(newKey, php, strings.Replace(text("my_shop", 1), "1.50", `"1.50"`, 1)))
	became.requireAll(t, 10)
	want := []map[string]any{
		{"reason": `malformed: it does not begin with "bv1 "` + first},
		{"reason": "malformed: there is no line feed in the first 512 bytes; it ends the first line"},
		{"reason": "malformed: the first line does not end in a space and a MAC of 64 hexadecimal digits" + first},
		{"reason": "malformed: the first line has no time before its MAC: Unix seconds, a whole number without a sign" + first},
		{"reason": "malformed: the first line names no source that sends datagrams, such as php; it is in lower case" + first},
		{"reason": `unknown_project: no API key is set for "shpo"`},
		{"reason": fmt.Sprintf("clock: the first line says %d and it is %d here, in Unix seconds; they may be 60 apart", at.Unix()-61, at.Unix())},
		{"reason": "invalid: an array; send one record a datagram"},
		{"reason": "invalid", "offset": 1., "message": "the text ends early; send all of it (over HTTP count its Content-Length in bytes: strlen, not mb_strlen)"},
		{"reason": "invalid", "index": 0., "path": "duration_ms", "message": "must be a number or null, not a string; leave its quotes out"},
	}
	for _, line := range want {
		line["level"], line["from"] = "DEBUG", from
	}
	require.Eventually(t, func() bool { return len(log.lines(t, "datagram dropped")) == len(want) }, 20*time.Second, time.Millisecond)
	require.Equal(t, want, log.lines(t, "datagram dropped"))
}

// A flood has a line a datagram up to a bound, and one on the others.
func TestDebugIsBounded(t *testing.T) {
	cfg := config(nil)
	became := watched(&cfg)
	log := logged(&cfg, slog.LevelDebug)
	client, stop := start(t, cfg)
	for n := range maxTold + 50 {
		send(t, client, "noise")
		became.requireAll(t, n+1)
	}
	stop()
	require.Len(t, log.lines(t, "datagram dropped"), maxTold)
	require.Equal(t, []map[string]any{{"level": "DEBUG", "datagrams": 50.}}, log.lines(t, "more datagrams dropped"))
}

func TestListenTellsWhatItCannot(t *testing.T) {
	cfg := config(nil)
	cfg.Addr = "127.0.0.1:port"
	_, err := Listen(cfg)
	require.ErrorContains(t, err, "open the socket: listen udp")
}
