package certs

import (
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Fewer than fourteen days are a warning at the start and once a day.
func TestExpiryWarning(t *testing.T) {
	start := time.Now()
	for _, c := range []struct {
		left     time.Duration
		after    []time.Duration // when somebody looks, after the start
		warnings int
		want     string
	}{
		{14*day + time.Minute, nil, 0, ""},
		{14*day - time.Minute, nil, 1, `"msg":"the certificate ends soon"`},
		{14*day - time.Minute, nil, 1, `"days_left":13`},
		{10*day + time.Hour, []time.Duration{time.Minute, 23 * time.Hour}, 1, `"days_left":10`},
		{10*day + time.Hour, []time.Duration{25 * time.Hour, 26 * time.Hour, 50 * time.Hour}, 3, `"days_left":7`},
		{15*day + time.Hour, []time.Duration{time.Hour, 2 * day}, 1, `"days_left":13`},
		{-time.Hour, nil, 1, `"msg":"the certificate has expired: clients refuse it"`},
	} {
		cfg, buf := filesIn(t.TempDir())
		now := start
		cfg.Now = func() time.Time { return now }
		newPair(t, start.Add(-day), start.Add(c.left)).write(t, filepath.Dir(cfg.CertPath))
		s := open(t, cfg)
		for _, after := range c.after {
			now = start.Add(after)
			s.entries[0].warn()
		}
		require.Len(t, buf.lines(slog.LevelWarn), c.warnings, "%+v", c)
		require.Contains(t, buf.String(), c.want)
		addr, _ := serve(t, s, "127.0.0.1:0")
		require.NotNil(t, shown(addr, "localhost"), "it is shown all the same")
	}
}

// Run is who looks.
func TestRunWarns(t *testing.T) {
	cfg, buf := filesIn(t.TempDir())
	var passed atomic.Int64
	start := time.Now()
	cfg.Now = func() time.Time { return start.Add(time.Duration(passed.Load())) }
	newPair(t, start.Add(-day), start.Add(10*day)).write(t, filepath.Dir(cfg.CertPath))
	run(t, open(t, cfg))
	passed.Store(int64(25 * time.Hour))
	require.Eventually(t, func() bool { return len(buf.lines(slog.LevelWarn)) == 2 }, soon, sample)
}
