package config_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/config"
)

const bothDBs = "BITVILLE_DB_PATH and BITVILLE_DB_URL are both set: a listener has one database"

func TestOneDatabase(t *testing.T) {
	_, _, err := config.Load(with("BITVILLE_DB_URL=libsql://db.example"))
	require.EqualError(t, err, bothDBs)

	cfg, _, err := config.Load([]string{enough[1], "BITVILLE_DB_URL=libsql://db.example"})
	require.NoError(t, err)
	require.Empty(t, cfg.DBPath)
}

func TestDatabaseURL(t *testing.T) {
	const (
		notURL = "BITVILLE_DB_URL is not a URL: set one such as libsql://bitville-yours.turso.io"
		scheme = "BITVILLE_DB_URL must begin with libsql://, https:// or http://; a file is set with BITVILLE_DB_PATH"
		noHost = "BITVILLE_DB_URL names no host: set one such as libsql://bitville-yours.turso.io"
		more   = "BITVILLE_DB_URL must hold nothing but the server's address; a token is set with BITVILLE_DB_AUTH_TOKEN"
	)
	for _, c := range []struct{ url, message string }{
		{"libsql://bitville-yours.turso.io", ""},
		{"https://db.example", ""},
		{"http://127.0.0.1:8080", ""},
		{"http://[::1]:8080", ""},

		{"file:/data/b.db", scheme},
		{"file:///data/b.db", scheme},
		{"/data/b.db", scheme},
		{"ws://db.example", scheme},
		{"wss://db.example", scheme},
		{"postgres://db.example", scheme},
		{"db.example", scheme},
		{"//db.example", scheme},
		{":memory:", notURL},
		{"libsql://db.example:port", notURL},
		{"libsql://db example", notURL},
		{"libsql://", noHost},
		{"libsql:db.example", noHost},
		{"http://:8080", noHost},
		{"https:///path", noHost},
		{"libsql://" + key2 + "@db.example", more},
		{"libsql://user:" + key2 + "@db.example", more},
		{"libsql://db.example?authToken=" + key2, more},
		{"libsql://" + key2 + "%zz", notURL},
	} {
		t.Run(c.url, func(t *testing.T) {
			_, warnings, err := config.Load([]string{enough[1], "BITVILLE_DB_URL=" + c.url})
			require.Empty(t, warnings)
			if c.message == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, c.message)
			requireNoLeak(t, err.Error())
		})
	}
}

func TestLoadFunction(t *testing.T) {
	const (
		url    = "BITVILLE_DB_URL=libsql://db.example"
		noURL  = "BITVILLE_DB_URL is not set: name a libSQL server, such as libsql://bitville-yours.turso.io"
		path   = "BITVILLE_DB_PATH is set: a function loses its files; set BITVILLE_DB_URL to a libSQL server instead"
		noKey  = "no API key is set: set BITVILLE_API_KEY_SHOP=<key> for a project named shop"
		scheme = "BITVILLE_DB_URL must begin with libsql://, https:// or http://; a file is set with BITVILLE_DB_PATH"
	)
	for _, c := range []struct {
		name      string
		environ   []string
		needsKeys bool
		problems  []string
	}{
		{"a URL and a key", []string{url, enough[1]}, true, nil},
		{"a URL alone, for a function without callers", []string{url}, false, nil},
		{"a key that nobody needs", []string{url, enough[1]}, false, nil},
		{"a broken key that nobody needs", []string{url, "BITVILLE_API_KEYS=" + key1}, false, nil},
		{"a URL alone", []string{url}, true, []string{noKey}},
		{"no URL", []string{enough[1]}, true, []string{noURL}},
		{"nothing", nil, true, []string{noKey, noURL}},
		{"nothing, without callers", nil, false, []string{noURL}},
		{"a path", enough, true, []string{path}},
		{"both", with(url), true, []string{path}},
		{"a file as a URL", []string{enough[1], "BITVILLE_DB_URL=file:/tmp/b.db"}, true, []string{scheme}},
		{"more than one problem", []string{"BITVILLE_RETENTION=0s", "BITVILLE_LOG_LEVEL=loud"}, true, []string{
			noKey, noURL, `BITVILLE_RETENTION is "0s": set a Go duration of a minute at least, such as 168h`, `BITVILLE_LOG_LEVEL is "loud": set one of debug, info, warn, error`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, warnings, err := config.LoadFunction(c.environ, c.needsKeys)
			require.Empty(t, warnings)
			if c.problems != nil {
				require.Error(t, err)
				require.ElementsMatch(t, c.problems, strings.Split(err.Error(), "\n"))
				requireNoLeak(t, err.Error())
				return
			}
			require.NoError(t, err)
			require.Equal(t, "libsql://db.example", cfg.DBURL)
			if c.needsKeys {
				require.Equal(t, []auth.Key{{Project: "shop", Secret: key1}}, cfg.Keys)
			} else {
				require.Empty(t, cfg.Keys, "a function holds no key that it does not need")
			}
		})
	}
}

func TestNewLog(t *testing.T) {
	for _, c := range []struct {
		environ  string
		terminal bool
		begins   string
	}{
		{"", false, "{"}, {"", true, "time="},
		{"BITVILLE_LOG_FORMAT=text", false, "time="}, {"BITVILLE_LOG_FORMAT=text", true, "time="},
		{"BITVILLE_LOG_FORMAT=json", false, "{"}, {"BITVILLE_LOG_FORMAT=json", true, "{"},
	} {
		cfg, _, err := config.Load(with(c.environ))
		require.NoError(t, err)
		var out bytes.Buffer
		cfg.NewLog(&out, c.terminal).Info("start")
		require.True(t, strings.HasPrefix(out.String(), c.begins), "%+v: %s", c, &out)
	}
	levels := []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}
	for i, name := range []string{"debug", "info", "warn", "error"} {
		cfg, _, err := config.Load(with("BITVILLE_LOG_LEVEL=" + name))
		require.NoError(t, err)
		for _, terminal := range []bool{false, true} {
			log := cfg.NewLog(new(bytes.Buffer), terminal)
			for k, level := range levels {
				require.Equal(t, k >= i, log.Enabled(t.Context(), level), "%s at %s", level, name)
			}
		}
	}
}
