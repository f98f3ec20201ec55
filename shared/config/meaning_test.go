package config_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/config"
)

// What could be taken for a setting's value, and is not what its owner meant, is told with the remedy.
func TestValuesThatMeanSomethingElse(t *testing.T) {
	const (
		file    = "such as /var/lib/bitville/bitville.db"
		expand  = ": nothing replaces ~, $ or % here; write the path out, such as /var/lib/bitville/bitville.db"
		blank   = `: a blank or a control character is no part of a path (a line that ends in \r comes from Windows); take it out`
		inPEM   = " holds a PEM itself: write that into a file, and set the file's path"
		isURL   = "BITVILLE_DB_PATH holds a URL: set the path of a file alone, " + file
		server  = "BITVILLE_DB_PATH holds the URL of a server: set that as BITVILLE_DB_URL, and its token as BITVILLE_DB_AUTH_TOKEN"
		db      = "BITVILLE_DB_PATH is "
		memory  = ": records are kept in a file, for a restart would lose them; name one, " + file
		folder  = ": that is a folder; name a file in it, " + file
		beside  = ": that is SQLite's own file beside a database; name the database"
		options = ": it takes no options; set the path of a file alone, " + file
		token   = "BITVILLE_DB_AUTH_TOKEN holds a character that no header can: use printable ASCII without spaces"
	)
	for _, c := range []struct{ set, message string }{
		{"BITVILLE_DB_PATH=:memory:", db + `":memory:"` + memory},
		{"BITVILLE_DB_PATH=:MEMORY:", db + `":MEMORY:"` + memory},
		{"BITVILLE_DB_PATH=file::memory:?cache=shared", isURL},
		{"BITVILLE_DB_PATH=file:/data/b.db?mode=memory", isURL},
		{"BITVILLE_DB_PATH=file:///data/b.db", isURL},
		{"BITVILLE_DB_PATH=sqlite:///data/b.db", isURL},
		{"BITVILLE_DB_PATH=postgres://user:" + key2 + "@db/b", isURL},
		{"BITVILLE_DB_PATH=libsql://db.example?authToken=" + key2, server},
		{"BITVILLE_DB_PATH=HTTPS://db.example", server},
		{"BITVILLE_DB_PATH=/data/b.db?mode=ro", db + `"/data/b.db?mode=ro"` + options},
		{"BITVILLE_DB_PATH=~/b.db", db + `"~/b.db"` + expand},
		{"BITVILLE_DB_PATH=~", db + `"~"` + expand},
		{"BITVILLE_DB_PATH=~bitville/b.db", db + `"~bitville/b.db"` + expand},
		{"BITVILLE_DB_PATH=$HOME/b.db", db + `"$HOME/b.db"` + expand},
		{"BITVILLE_DB_PATH=/data/${NAME}.db", db + `"/data/${NAME}.db"` + expand},
		{"BITVILLE_DB_PATH=%S/bitville/b.db", db + `"%S/bitville/b.db"` + expand},
		{"BITVILLE_DB_PATH=/data/", db + `"/data/"` + folder},
		{"BITVILLE_DB_PATH=.", db + `"."` + folder},
		{"BITVILLE_DB_PATH=/data/b.db-wal", db + `"/data/b.db-wal"` + beside},
		{"BITVILLE_DB_PATH=/data/b.db ", db + `"/data/b.db "` + blank},
		{"BITVILLE_DB_PATH=/data/b.db\r", db + `"/data/b.db\r"` + blank},
		{"BITVILLE_DB_PATH=/data/a\nb.db", db + `"/data/a\nb.db"` + blank},
		{`BITVILLE_DB_PATH="/data/b.db"`, "BITVILLE_DB_PATH" + inQuotes},
		{`BITVILLE_RETENTION='168h'`, "BITVILLE_RETENTION" + inQuotes},
		{`BITVILLE_LOG_LEVEL="debug"`, "BITVILLE_LOG_LEVEL" + inQuotes},
		{"BITVILLE_ACME_DOMAINS=a.example\x00BITVILLE_ACME_CACHE_DIR=~/acme", `BITVILLE_ACME_CACHE_DIR is "~/acme"` + expand},
		{"BITVILLE_TLS_KEY_PATH=/key.pem\x00BITVILLE_TLS_CERT_PATH=~/cert.pem", `BITVILLE_TLS_CERT_PATH is "~/cert.pem"` + expand},
		{"BITVILLE_TLS_CERT_PATH=/cert.pem\x00BITVILLE_TLS_KEY_PATH=-----BEGIN PRIVATE KEY-----\n" + key2, "BITVILLE_TLS_KEY_PATH" + inPEM},
		{"BITVILLE_DB_AUTH_TOKEN=" + key2 + "\n" + key3, token},
		{"BITVILLE_DB_AUTH_TOKEN=" + key2 + "é", token},
		{"BITVILLE_DB_AUTH_TOKEN=Bearer " + key2, "BITVILLE_DB_AUTH_TOKEN begins with Bearer: set what follows alone"},
		{"BITVILLE_DB_AUTH_TOKEN=${TURSO_TOKEN}", "BITVILLE_DB_AUTH_TOKEN is a placeholder: set what the server takes"},
		{"BITVILLE_DB_PATH=\x00BITVILLE_DB_URL=libsql://db.example#" + key2, "BITVILLE_DB_URL must hold nothing but the server's address; a token is set with BITVILLE_DB_AUTH_TOKEN"},
		{"BITVILLE_LISTEN_ADDR=localhost/x:80", `BITVILLE_LISTEN_ADDR is "localhost/x:80": set host:port with the port's number, such as :8443`},
	} {
		t.Run(c.set, func(t *testing.T) {
			_, _, err := config.Load(with(strings.Split(c.set, "\x00")...))
			require.EqualError(t, err, c.message)
			requireNoLeak(t, err.Error())
		})
	}
	for _, path := range []string{"b.db", "./b.db", "/data/what?.db", "/data/100% of it/b.db", "/data/a$b.db", "C:/b.db2/../x.db"[2:], "/data/ü.db", "/data/it's.db"} {
		_, warnings, err := config.Load(with("BITVILLE_DB_PATH=" + path))
		require.NoError(t, err)
		require.Empty(t, warnings)
	}
}

// What may be meant, but hardly is, works with a warning.
func TestValuesThatAreDoubtful(t *testing.T) {
	const url = "BITVILLE_DB_PATH=\x00BITVILLE_DB_URL="
	for _, c := range []struct{ set, warning string }{
		{"BITVILLE_RETENTION=1m", "BITVILLE_RETENTION is 1m0s: what an agent delivers later than that is refused; the usual is days, such as 168h"},
		{"BITVILLE_RETENTION=168m", ""},
		{"BITVILLE_RETENTION=876000h", ""},
		{"BITVILLE_RETENTION=876001h", "BITVILLE_RETENTION is 876001h0m0s, more than 100 years: nothing is ever purged, and the disk fills up"},
		{"BITVILLE_MAX_BODY_BYTES=1024", "BITVILLE_MAX_BODY_BYTES is 1024: a profile of a framework's request takes 25 to 164 KB, and would be refused; the default is 4194304"},
		{"BITVILLE_MAX_BODY_BYTES=65536", ""},
		{"BITVILLE_LISTEN_ADDR=:0", "BITVILLE_LISTEN_ADDR has port 0, which is another port at each start: agents need one that stays"},
		{"BITVILLE_LISTEN_ADDR=127.0.0.1:0", ""},
		{"BITVILLE_UDP_ADDR=0.0.0.0:00", "BITVILLE_UDP_ADDR has port 0, which is another port at each start: agents need one that stays"},
		{"BITVILLE_DB_AUTH_TOKEN=" + key2, "BITVILLE_DB_AUTH_TOKEN does nothing without BITVILLE_DB_URL"},
		{url + "libsql://db.example\x00BITVILLE_DB_SYNCHRONOUS=FULL", "BITVILLE_DB_SYNCHRONOUS does nothing with BITVILLE_DB_URL: the server decides"},
		{url + "http://db.example\x00BITVILLE_DB_AUTH_TOKEN=" + key2, "BITVILLE_DB_URL is http://, so that BITVILLE_DB_AUTH_TOKEN and all records go over the network in clear; use libsql:// or https://"},
		{url + "http://127.0.0.1:8080\x00BITVILLE_DB_AUTH_TOKEN=" + key2, ""},
		{"BITVILLE_LISTEN_ADDR=:443\x00BITVILLE_ACME_DOMAINS=a.example\x00BITVILLE_ACME_DIRECTORY_URL=https://acme-staging-v02.api.letsencrypt.org/directory",
			"BITVILLE_ACME_DIRECTORY_URL is that of an authority for trials, whose certificates no agent trusts"},
	} {
		t.Run(c.set, func(t *testing.T) {
			_, warnings, err := config.Load(with(strings.Split(c.set, "\x00")...))
			require.NoError(t, err)
			if c.warning == "" {
				require.Empty(t, warnings)
			} else {
				require.Equal(t, []string{c.warning}, warnings)
			}
			requireNoLeak(t, warnings...)
		})
	}
}

// What is wrong is empty in the Config, so that the rest can be looked at, as check does.
func TestWhatIsWrongIsEmpty(t *testing.T) {
	cfg, _, err := config.Load(with("BITVILLE_DB_PATH=~/b.db", "BITVILLE_LISTEN_ADDR=8443", "BITVILLE_TLS_CERT_PATH=/cert.pem", "BITVILLE_TLS_KEY_PATH=~/key.pem",
		"BITVILLE_METRICS_ADDR=localhost", "BITVILLE_UDP_ADDR=:1"))
	require.Error(t, err)
	require.Empty(t, cfg.DBPath+cfg.ListenAddr+cfg.MetricsAddr+cfg.TLSKeyPath)
	require.Equal(t, ":1", cfg.UDPAddr)
	require.Equal(t, "/cert.pem", cfg.TLSCertPath)
}
