package config_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/clientip"
	"github.com/bitville/listener/shared/config"
)

// The keys of these tests share no four characters with any word that a message could hold, so that
// requireNoLeak can look for pieces of them.
const (
	key1 = "zQ7xV9kW2mT4bN8p"
	key2 = "hR3yJ6cL5dF1gS0u"
	key3 = "Xo4Pi7Uy2Tr9Ew6Q"
)

// enough is the least environment that starts a listener.
var enough = []string{"BITVILLE_DB_PATH=/data/b.db", "BITVILLE_API_KEY_SHOP=" + key1}

// with returns enough with more settings.
func with(environ ...string) []string { return slices.Concat(enough, environ) }

func TestDefaults(t *testing.T) {
	cfg, warnings, err := config.Load(enough)
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Equal(t, config.Config{
		Store: config.Store{DBPath: "/data/b.db", DBSynchronous: "NORMAL", Retention: 7 * 24 * time.Hour},
		Intake: config.Intake{
			Keys:                  []auth.Key{{Project: "shop", Secret: key1}},
			MaxBodyBytes:          4 << 20,
			AuthFailuresPerMinute: 100,
		},
		Listener: config.Listener{
			ListenAddr:       ":8443",
			ACMEDirectoryURL: "https://acme-v02.api.letsencrypt.org/directory",
			MaxConnections:   4096,
		},
		Log: config.Log{LogLevel: slog.LevelInfo},
	}, cfg)
}

// good has a value other than the default for each setting that is a field.
var good = []struct {
	name, value string
	get         func(config.Config) any
	want        any
}{
	{"BITVILLE_DB_PATH", "/other/b.db", func(c config.Config) any { return c.DBPath }, "/other/b.db"},
	{"BITVILLE_DB_URL", "libsql://bitville-us.turso.io", func(c config.Config) any { return c.DBURL }, "libsql://bitville-us.turso.io"},
	{"BITVILLE_DB_AUTH_TOKEN", "token", func(c config.Config) any { return string(c.DBAuthToken) }, "token"},
	{"BITVILLE_DB_SYNCHRONOUS", "FULL", func(c config.Config) any { return c.DBSynchronous }, "FULL"},
	{"BITVILLE_RETENTION", "36h30m", func(c config.Config) any { return c.Retention }, 36*time.Hour + 30*time.Minute},
	{"BITVILLE_LISTEN_ADDR", "127.0.0.1:9000", func(c config.Config) any { return c.ListenAddr }, "127.0.0.1:9000"},
	{"BITVILLE_UDP_ADDR", "[::1]:8443", func(c config.Config) any { return c.UDPAddr }, "[::1]:8443"},
	{"BITVILLE_TLS_CERT_PATH", "/tls/cert.pem", func(c config.Config) any { return c.TLSCertPath }, "/tls/cert.pem"},
	{"BITVILLE_TLS_KEY_PATH", "/tls/key.pem", func(c config.Config) any { return c.TLSKeyPath }, "/tls/key.pem"},
	{"BITVILLE_ACME_DOMAINS", "a.example,B.Example", func(c config.Config) any { return c.ACMEDomains }, []string{"a.example", "b.example"}},
	{"BITVILLE_ACME_EMAIL", "ops@example.com", func(c config.Config) any { return c.ACMEEmail }, "ops@example.com"},
	{"BITVILLE_ACME_DIRECTORY_URL", "https://localhost:14000/dir", func(c config.Config) any { return c.ACMEDirectoryURL }, "https://localhost:14000/dir"},
	{"BITVILLE_ACME_CACHE_DIR", "/var/acme", func(c config.Config) any { return c.ACMECacheDir }, "/var/acme"},
	{"BITVILLE_MAX_CONNECTIONS", "16", func(c config.Config) any { return c.MaxConnections }, 16},
	{"BITVILLE_MAX_BODY_BYTES", "1048576", func(c config.Config) any { return c.MaxBodyBytes }, int64(1 << 20)},
	{"BITVILLE_AUTH_FAILURES_PER_MINUTE", "1", func(c config.Config) any { return c.AuthFailuresPerMinute }, 1},
	{"BITVILLE_TRUSTED_PROXIES", "10.1.0.0/8, ::1", func(c config.Config) any { return c.TrustedProxies }, clientip.Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}},
	{"BITVILLE_METRICS_ADDR", "127.0.0.1:0", func(c config.Config) any { return c.MetricsAddr }, "127.0.0.1:0"},
	{"BITVILLE_LOG_LEVEL", "debug", func(c config.Config) any { return c.LogLevel }, slog.LevelDebug},
	{"BITVILLE_LOG_FORMAT", "json", func(c config.Config) any { return c.LogFormat }, "json"},
}

// together are the settings that are an error, or warned about, without others, or with them.
var together = map[string][]string{
	"BITVILLE_TLS_CERT_PATH":      {"BITVILLE_TLS_KEY_PATH=/tls/key.pem"},
	"BITVILLE_TLS_KEY_PATH":       {"BITVILLE_TLS_CERT_PATH=/tls/cert.pem"},
	"BITVILLE_ACME_DOMAINS":       {"BITVILLE_LISTEN_ADDR=:443"},
	"BITVILLE_ACME_EMAIL":         {"BITVILLE_ACME_DOMAINS=a.example", "BITVILLE_LISTEN_ADDR=:443"},
	"BITVILLE_ACME_DIRECTORY_URL": {"BITVILLE_ACME_DOMAINS=a.example", "BITVILLE_LISTEN_ADDR=:443"},
	"BITVILLE_ACME_CACHE_DIR":     {"BITVILLE_ACME_DOMAINS=a.example", "BITVILLE_LISTEN_ADDR=:443"},
	"BITVILLE_DB_URL":             {"BITVILLE_DB_PATH="},
	"BITVILLE_DB_AUTH_TOKEN":      {"BITVILLE_DB_PATH=", "BITVILLE_DB_URL=libsql://db.example"},
}

func TestEveryVariableIsRead(t *testing.T) {
	var tested []string
	for _, c := range good {
		tested = append(tested, c.name)
		t.Run(c.name, func(t *testing.T) {
			environ := append(with(c.name+"="+c.value), together[c.name]...)
			before, _, err := config.Load(enough)
			require.NoError(t, err)
			require.NotEqual(t, c.want, c.get(before), "the case must tell the value from the default")
			cfg, warnings, err := config.Load(environ)
			require.NoError(t, err)
			require.Empty(t, warnings)
			require.Equal(t, c.want, c.get(cfg))
		})
	}
	var all []string
	for _, s := range config.Settings()[2:] {
		all = append(all, s.Name)
	}
	require.Equal(t, all, tested, "a case for each setting")
}

func TestEveryChoice(t *testing.T) {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	for text, level := range levels {
		cfg, _, err := config.Load(with("BITVILLE_LOG_LEVEL=" + text))
		require.NoError(t, err)
		require.Equal(t, level, cfg.LogLevel)
	}
	for name, choices := range map[string][]string{"BITVILLE_DB_SYNCHRONOUS": {"NORMAL", "FULL"}, "BITVILLE_LOG_FORMAT": {"text", "json"}} {
		for _, choice := range choices {
			_, _, err := config.Load(with(name + "=" + choice))
			require.NoError(t, err)
		}
	}
}

func TestBadValues(t *testing.T) {
	const (
		pair     = "BITVILLE_TLS_CERT_PATH and BITVILLE_TLS_KEY_PATH go together: set both or neither"
		duration = "set a Go duration of a minute at least, such as 168h"
		bytes    = "set a whole number of bytes from 1024 to 33554432, such as 4194304"
	)
	for _, c := range []struct{ set, message string }{
		{"BITVILLE_DB_SYNCHRONOUS=OFF", `BITVILLE_DB_SYNCHRONOUS is "OFF": set one of NORMAL, FULL`},
		{"BITVILLE_DB_SYNCHRONOUS=normal", `BITVILLE_DB_SYNCHRONOUS is "normal": set one of NORMAL, FULL`},
		{"BITVILLE_DB_SYNCHRONOUS=NORMAL FULL", `BITVILLE_DB_SYNCHRONOUS is "NORMAL FULL": set one of NORMAL, FULL`},
		{"BITVILLE_RETENTION=7d", `BITVILLE_RETENTION is "7d": ` + duration + " (7 days are 168h)"},
		{"BITVILLE_RETENTION=168", `BITVILLE_RETENTION is "168": ` + duration + " (the unit is missing: 168h are 168 hours)"},
		{"BITVILLE_RETENTION=2 weeks", `BITVILLE_RETENTION is "2 weeks": ` + duration + " (2 weeks are 336h)"},
		{"BITVILLE_RETENTION=30D", `BITVILLE_RETENTION is "30D": ` + duration + " (30 days are 720h)"},
		{"BITVILLE_RETENTION=1ns", `BITVILLE_RETENTION is "1ns": ` + duration},
		{"BITVILLE_RETENTION=59s", `BITVILLE_RETENTION is "59s": ` + duration},
		{"BITVILLE_RETENTION=0", `BITVILLE_RETENTION is "0": ` + duration},
		{"BITVILLE_RETENTION=0s", `BITVILLE_RETENTION is "0s": ` + duration},
		{"BITVILLE_RETENTION=-1h", `BITVILLE_RETENTION is "-1h": ` + duration},
		{"BITVILLE_RETENTION= ", `BITVILLE_RETENTION is " ": ` + duration},
		{"BITVILLE_RETENTION=9999999h", `BITVILLE_RETENTION is "9999999h": ` + duration},
		{"BITVILLE_TLS_CERT_PATH=/tls/cert.pem", pair},
		{"BITVILLE_TLS_KEY_PATH=/tls/key.pem", pair},
		{"BITVILLE_MAX_BODY_BYTES=0", `BITVILLE_MAX_BODY_BYTES is "0": ` + bytes},
		{"BITVILLE_MAX_BODY_BYTES=1023", `BITVILLE_MAX_BODY_BYTES is "1023": ` + bytes},
		{"BITVILLE_MAX_BODY_BYTES=-1", `BITVILLE_MAX_BODY_BYTES is "-1": ` + bytes},
		{"BITVILLE_MAX_BODY_BYTES=4MiB", `BITVILLE_MAX_BODY_BYTES is "4MiB": ` + bytes},
		{"BITVILLE_MAX_BODY_BYTES=1e6", `BITVILLE_MAX_BODY_BYTES is "1e6": ` + bytes},
		{"BITVILLE_MAX_BODY_BYTES=1.5", `BITVILLE_MAX_BODY_BYTES is "1.5": ` + bytes},
		{"BITVILLE_MAX_BODY_BYTES=9223372036854775808", `BITVILLE_MAX_BODY_BYTES is "9223372036854775808": ` + bytes},
		{"BITVILLE_MAX_BODY_BYTES=33554433", `BITVILLE_MAX_BODY_BYTES is "33554433": ` + bytes},
		{"BITVILLE_LOG_LEVEL=verbose", `BITVILLE_LOG_LEVEL is "verbose": set one of debug, info, warn, error`},
		{"BITVILLE_LOG_LEVEL=info+2", `BITVILLE_LOG_LEVEL is "info+2": set one of debug, info, warn, error`},
		{"BITVILLE_LOG_LEVEL=INFO", `BITVILLE_LOG_LEVEL is "INFO": set one of debug, info, warn, error`},
		{"BITVILLE_LOG_FORMAT=logfmt", `BITVILLE_LOG_FORMAT is "logfmt": set one of text, json`},
	} {
		t.Run(c.set, func(t *testing.T) {
			_, warnings, err := config.Load(with(c.set))
			require.EqualError(t, err, c.message)
			require.Empty(t, warnings)
		})
	}
}

const noDB = "BITVILLE_DB_PATH is not set: name the database file, such as /var/lib/bitville/bitville.db"

func TestEveryProblemIsToldAtOnce(t *testing.T) {
	const noKey = "no API key is set: set BITVILLE_API_KEY_SHOP=<key> for a project named shop"
	for _, c := range []struct {
		name     string
		environ  []string
		problems []string
	}{
		{"nothing set", nil, []string{noKey, noDB}},
		{"a database alone", enough[:1], []string{noKey}},
		{"a key alone", enough[1:], []string{noDB}},
		{
			"all that can be wrong",
			[]string{
				"BITVILLE_API_KEY_A=" + key1, "BITVILLE_API_KEY_B=" + key1, "BITVILLE_API_KEY_C=", "BITVILLE_API_KEYS=[]",
				"BITVILLE_DB_SYNCHRONOUS=OFF", "BITVILLE_RETENTION=never", "BITVILLE_TLS_CERT_PATH=/cert.pem",
				"BITVILLE_MAX_BODY_BYTES=-1", "BITVILLE_LOG_LEVEL=loud", "BITVILLE_LOG_FORMAT=xml", "BITVILLE_LISTEN_ADDR=:https",
				"BITVILLE_UDP_ADDR=8443", "BITVILLE_METRICS_ADDR=localhost", "BITVILLE_MAX_CONNECTIONS=x", "BITVILLE_AUTH_FAILURES_PER_MINUTE=0",
				"BITVILLE_TRUSTED_PROXIES=proxy",
			},
			[]string{
				"BITVILLE_API_KEY_B: project b has the same key as project a; give each its own",
				"BITVILLE_API_KEY_C: a key of project c is empty; set it, or remove the comma or the variable",
				`BITVILLE_API_KEYS is not a JSON object of strings: set {"shop":"key[,key…]"}`,
				`BITVILLE_DB_SYNCHRONOUS is "OFF": set one of NORMAL, FULL`,
				`BITVILLE_LOG_LEVEL is "loud": set one of debug, info, warn, error`,
				`BITVILLE_LOG_FORMAT is "xml": set one of text, json`,
				`BITVILLE_RETENTION is "never": set a Go duration of a minute at least, such as 168h`,
				noDB,
				`BITVILLE_MAX_BODY_BYTES is "-1": set a whole number of bytes from 1024 to 33554432, such as 4194304`,
				"BITVILLE_TLS_CERT_PATH and BITVILLE_TLS_KEY_PATH go together: set both or neither",
				`BITVILLE_LISTEN_ADDR is ":https": set host:port with the port's number, such as :8443`,
				`BITVILLE_UDP_ADDR is "8443": set host:port with the port's number, such as :8443`,
				`BITVILLE_METRICS_ADDR is "localhost": set host:port with the port's number, such as 127.0.0.1:9464`,
				`BITVILLE_MAX_CONNECTIONS is "x": set a whole number, at least 16, such as 4096`,
				`BITVILLE_AUTH_FAILURES_PER_MINUTE is "0": set a whole number above 0, such as 100`,
				`BITVILLE_TRUSTED_PROXIES: "proxy" is not an address (a host's name is none): set addresses and CIDRs with commas between them, such as 127.0.0.1,10.0.0.0/8`,
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, _, first := config.Load(c.environ)
			require.ElementsMatch(t, c.problems, strings.Split(first.Error(), "\n"))
			for range 20 { // maps are walked on the way
				_, _, again := config.Load(c.environ)
				require.EqualError(t, again, first.Error(), "problems come in one order")
			}
		})
	}
}

func TestEmptyCountsAsUnset(t *testing.T) {
	want, _, err := config.Load(enough)
	require.NoError(t, err)
	environ := slices.Clone(enough)
	for _, s := range config.Settings()[2:] {
		if s.Name != "BITVILLE_DB_PATH" {
			environ = append(environ, s.Name+"=")
		}
	}
	cfg, warnings, err := config.Load(environ)
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Equal(t, want, cfg)

	_, _, err = config.Load([]string{enough[1], "BITVILLE_DB_PATH="})
	require.EqualError(t, err, noDB)
}

func TestOnlyTheGivenEnvironmentIsRead(t *testing.T) {
	t.Setenv("BITVILLE_DB_PATH", "/process/b.db")
	t.Setenv("BITVILLE_API_KEY_SHOP", key1)
	_, _, err := config.Load(nil)
	require.ErrorContains(t, err, noDB)
	require.ErrorContains(t, err, "no API key is set")
}

func TestConfigHidesItsSecrets(t *testing.T) {
	cfg, _, err := config.Load(with("BITVILLE_DB_AUTH_TOKEN=" + key2))
	require.NoError(t, err)
	asJSON, err := json.Marshal(cfg)
	require.NoError(t, err)
	var logged strings.Builder
	slog.New(slog.NewTextHandler(&logged, nil)).Info("settings", "config", cfg)
	requireNoLeak(t, string(asJSON), fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg), logged.String())
}

// requireNoLeak holds texts against the keys of these tests: none may show as much as four characters of one.
func requireNoLeak(t *testing.T, texts ...string) {
	t.Helper()
	for _, key := range []string{key1, key2, key3} {
		key = strings.ToLower(key)
		for i := range len(key) - 3 {
			for _, text := range texts {
				require.NotContains(t, strings.ToLower(text), key[i:i+4], "a piece of a key")
			}
		}
	}
}
