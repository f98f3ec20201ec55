package config_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/config"
)

// enoughForRelay is the least environment that starts a relay.
var enoughForRelay = []string{"BITVILLE_URL=https://l.example:8443", "BITVILLE_STATE_DIR=/state", "BITVILLE_PROJECT=My-Shop", "BITVILLE_API_KEY=" + key1}

func TestRelayDefaults(t *testing.T) {
	cfg, warnings, err := config.LoadRelay(enoughForRelay)
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Equal(t, config.Relay{
		Agent: config.Agent{
			URL: "https://l.example:8443", Project: "My-Shop", Key: key1, StateDir: "/state", SpoolMaxBytes: 256 << 20, FlushInterval: time.Second,
			Log: config.Log{LogLevel: slog.LevelInfo}, Keys: keysOf("my_shop", key1),
		},
		Addr: "127.0.0.1:8444",
	}, cfg)
	postgres, warnings, err := config.LoadPostgres(enoughForRelay)
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Equal(t, cfg.Agent, postgres.Agent)
	require.Equal(t, "auto", postgres.LogFileFormat)
}

// TestRelayKeys: one project's key, the keys of many as the listener takes them, or both; each may come from a file.
func TestRelayKeys(t *testing.T) {
	for name, environ := range map[string][]string{
		"one":              {"BITVILLE_PROJECT=shop", "BITVILLE_API_KEY=" + key1 + "," + key2},
		"one from a file":  {"BITVILLE_PROJECT=shop", "BITVILLE_API_KEY_FILE=" + secretFile(t, key1+","+key2+"\n")},
		"as the listener":  {"BITVILLE_API_KEY_SHOP=" + key1 + "," + key2},
		"JSON from a file": {"BITVILLE_API_KEYS_FILE=" + secretFile(t, `{"shop":"`+key1+","+key2+`"}`)},
		"named, and many":  {"BITVILLE_PROJECT=shop", "BITVILLE_API_KEYS=" + `{"shop":"` + key1 + "," + key2 + `"}`},
	} {
		cfg, _, err := config.LoadRelay(append([]string{enoughForRelay[0], enoughForRelay[1]}, environ...))
		require.NoError(t, err, name)
		require.Equal(t, keysOf("shop", key1, key2), cfg.Keys, name)
	}
	_, _, err := config.LoadRelay(append(enoughForRelay, "BITVILLE_API_KEY_BLOG="+key1))
	require.ErrorContains(t, err, "project blog has the same key as project my_shop")
	_, warnings, err := config.LoadPostgres(append(enoughForRelay, "BITVILLE_API_KEY_BLOG="+key2))
	require.NoError(t, err)
	require.Equal(t, []string{"BITVILLE_API_KEY_BLOG is not a setting of this agent and does nothing; did you mean BITVILLE_API_KEY_<PROJECT>?"}, warnings)
}

// TestRelayProblems: each is told, all of them at once, and no text holds a key.
func TestRelayProblems(t *testing.T) {
	for _, c := range []struct{ set, problem string }{
		{"BITVILLE_URL=", "BITVILLE_URL is not set: set https://host:port of the listener alone"},
		{"BITVILLE_URL=listener", "BITVILLE_URL is no URL: set https"},
		{"BITVILLE_URL=http://l", "BITVILLE_URL begins with http: and not with https://"},
		{"BITVILLE_URL=udp://127.0.0.1:8444", "BITVILLE_URL begins with udp://, which is for PHP agents"},
		{"BITVILLE_URL=https://" + key2 + "@l", "BITVILLE_URL holds more than a host and a path"},
		{"BITVILLE_URL=https://l/ingest/php/", "BITVILLE_URL ends in a path that the agent adds itself"},
		{"BITVILLE_URL=https://", "BITVILLE_URL names no host"},
		{"BITVILLE_STATE_DIR=", "BITVILLE_STATE_DIR is not set: name a folder"},
		{"BITVILLE_STATE_DIR=~/x", "BITVILLE_STATE_DIR is \"~/x\": nothing replaces ~"},
		{"BITVILLE_CA_PATH=-----BEGIN CERTIFICATE-----", "BITVILLE_CA_PATH holds a PEM itself"},
		{"BITVILLE_SPOOL_MAX_BYTES=1", "BITVILLE_SPOOL_MAX_BYTES is \"1\": set a whole number of bytes, at least 1048576"},
		{"BITVILLE_SPOOL_MAX_BYTES=256MB", "BITVILLE_SPOOL_MAX_BYTES is \"256MB\": set a whole number of bytes"},
		{"BITVILLE_FLUSH_INTERVAL=1", "BITVILLE_FLUSH_INTERVAL is \"1\": set a Go duration above 0"},
		{"BITVILLE_FLUSH_INTERVAL=0s", "BITVILLE_FLUSH_INTERVAL is \"0s\": set a Go duration above 0"},
		{"BITVILLE_METRICS_ADDR=9464", "BITVILLE_METRICS_ADDR is \"9464\": set host:port"},
		{"BITVILLE_RELAY_ADDR=8444", "BITVILLE_RELAY_ADDR is \"8444\": set host:port"},
		{"BITVILLE_SPOOL_DIR=$HOME/s", "BITVILLE_SPOOL_DIR is \"$HOME/s\": nothing replaces"},
		{"BITVILLE_LOG_FORMAT=xml", "BITVILLE_LOG_FORMAT is \"xml\": set one of text, json"},
		{"BITVILLE_PROJECT=", "BITVILLE_PROJECT is not set: name the project that BITVILLE_API_KEY is of"},
		{"BITVILLE_API_KEY=", "BITVILLE_API_KEY is not set: set the key that the listener has for the project my_shop"},
		{"BITVILLE_API_KEY='" + key2 + "'", "BITVILLE_API_KEY is in quotes"},
		{"BITVILLE_API_KEY=Bearer " + key2, "BITVILLE_API_KEY: a key of project my_shop begins with Bearer"},
	} {
		_, _, err := config.LoadRelay(append(append([]string{}, enoughForRelay...), c.set))
		require.ErrorContains(t, err, c.problem)
		require.Len(t, err.(interface{ Unwrap() []error }).Unwrap(), 1, c.set)
		requireNoLeak(t, err.Error())
	}
	_, _, err := config.LoadRelay(nil)
	require.Len(t, err.(interface{ Unwrap() []error }).Unwrap(), 3)
	require.ErrorContains(t, err, "BITVILLE_PROJECT and BITVILLE_API_KEY are not set")
	_, _, err = config.LoadRelay([]string{enoughForRelay[0], enoughForRelay[1], "BITVILLE_PROJECT=shop", "BITVILLE_API_KEY_FILE=/none"})
	require.Len(t, err.(interface{ Unwrap() []error }).Unwrap(), 1, "what is missing was told")
}

func TestRelayWarns(t *testing.T) {
	_, warnings, err := config.LoadRelay(append(append([]string{}, enoughForRelay...), "BITVILLE_SPOOLDIR=/x", "BITVILLE_METRICS_ADDR=:9464"))
	require.NoError(t, err)
	require.Len(t, warnings, 2)
	require.Contains(t, warnings[0], "BITVILLE_METRICS_ADDR can be reached from other machines")
	require.Equal(t, "BITVILLE_SPOOLDIR is not a setting of this relay and does nothing; did you mean BITVILLE_SPOOL_DIR?", warnings[1])
}
