package config_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/config"
)

func TestAddresses(t *testing.T) {
	for _, address := range []string{":8443", ":0", "127.0.0.1:65535", "0.0.0.0:443", "[::]:443", "[::1]:443", "[fe80::1%eth0]:443", "localhost:443"} {
		for _, name := range []string{"BITVILLE_LISTEN_ADDR", "BITVILLE_UDP_ADDR", "BITVILLE_METRICS_ADDR"} {
			_, _, err := config.Load(with("BITVILLE_LISTEN_ADDR=:1", name+"="+address))
			require.NoError(t, err, "%s=%s", name, address)
		}
	}
	for _, address := range []string{"8443", "localhost", "127.0.0.1", ":https", ":65536", ":-1", ":+1", ": 443", ":443 ", ":", "localhost:", "::1:443", "[::1]", "https://localhost:443", "[::1:443", " "} {
		for name, example := range map[string]string{"BITVILLE_LISTEN_ADDR": ":8443", "BITVILLE_UDP_ADDR": ":8443", "BITVILLE_METRICS_ADDR": "127.0.0.1:9464"} {
			_, warnings, err := config.Load(with(name + "=" + address))
			require.EqualError(t, err, name+` is "`+address+`": set host:port with the port's number, such as `+example)
			require.Empty(t, warnings)
		}
	}
}

func TestAddressesThatAreOne(t *testing.T) {
	const same = "BITVILLE_METRICS_ADDR and BITVILLE_LISTEN_ADDR are the same address: give each a port of its own"
	for _, c := range []struct {
		listen, metrics string
		collide         bool
	}{
		{"", "127.0.0.1:8443", true}, // the default is :8443
		{"127.0.0.1:9464", "127.0.0.1:9464", true},
		{":9464", "127.0.0.1:9464", true},
		{"0.0.0.0:9464", "127.0.0.1:9464", true},
		{"[::]:9464", "127.0.0.1:9464", true},
		{"127.0.0.1:9464", "[::]:9464", true},
		{"localhost:9464", "localhost:9464", true},
		{"192.0.2.1:9464", "127.0.0.1:9464", false},
		{"127.0.0.1:9465", "127.0.0.1:9464", false},
		{"127.0.0.1:0", "127.0.0.1:0", false},
	} {
		_, _, err := config.Load(with("BITVILLE_LISTEN_ADDR="+c.listen, "BITVILLE_METRICS_ADDR="+c.metrics))
		if c.collide {
			require.EqualError(t, err, same, "%+v", c)
		} else {
			require.NoError(t, err, "%+v", c)
		}
	}
	_, warnings, err := config.Load(with("BITVILLE_LISTEN_ADDR=:443", "BITVILLE_UDP_ADDR=:443"))
	require.NoError(t, err, "TLS and UDP are two protocols")
	require.Empty(t, warnings)
}

func TestMetricsForAllWarn(t *testing.T) {
	const open = "BITVILLE_METRICS_ADDR can be reached from other machines, and shows counts and profiles without a key; set 127.0.0.1 as its host, or see that nobody else gets there"
	for host, want := range map[string][]string{
		"127.0.0.1": nil, "127.1.2.3": nil, "[::1]": nil, "[::ffff:127.0.0.1]": nil, "localhost": nil,
		"": {open}, "0.0.0.0": {open}, "[::]": {open}, "192.0.2.1": {open}, "monitoring.example": {open}, "localhost.example": {open},
	} {
		_, warnings, err := config.Load(with("BITVILLE_METRICS_ADDR=" + host + ":9464"))
		require.NoError(t, err)
		require.Equal(t, want, warnings, host)
	}
}

func TestACME(t *testing.T) {
	cfg, warnings, err := config.Load(with("BITVILLE_ACME_DOMAINS=Listener.Example.com, xn--bcher-kva.example ,listener.example.com,a-1.b2.test"))
	require.NoError(t, err)
	require.Equal(t, []string{"BITVILLE_ACME_DOMAINS: the authority asks at port 443; set BITVILLE_LISTEN_ADDR=:443, or have that port forwarded to this one"}, warnings)
	require.Equal(t, []string{"listener.example.com", "xn--bcher-kva.example", "a-1.b2.test"}, cfg.ACMEDomains)
	require.Equal(t, "/data/acme", cfg.ACMECacheDir, "beside the database")

	cfg, warnings, err = config.Load([]string{enough[1], "BITVILLE_DB_URL=libsql://db.example", "BITVILLE_ACME_DOMAINS=listener.test", "BITVILLE_LISTEN_ADDR=[::]:443"})
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Equal(t, "acme", cfg.ACMECacheDir, "in the working folder")
}

func TestACMEProblems(t *testing.T) {
	long := strings.Repeat("a", 63)
	const (
		domains   = ": set full names with commas between them, such as listener.example.com: no address, port or wildcard, other letters than ASCII as xn--"
		email     = ": set an address alone, such as ops@example.com"
		directory = ": set an https:// URL, such as https://acme-v02.api.letsencrypt.org/directory"
	)
	for _, c := range []struct{ name, value, message string }{
		{"DOMAINS", long + "." + long + "." + long + "." + long[:61], ""},
		{"DOMAINS", long + "." + long + "." + long + "." + long[:62], domains},
		{"DOMAINS", long + "a.example", domains},
		{"DOMAINS", "localhost", domains},
		{"DOMAINS", "*.example.com", domains},
		{"DOMAINS", "192.0.2.1", domains},
		{"DOMAINS", "::1", domains},
		{"DOMAINS", "listener.example.com:443", domains},
		{"DOMAINS", "https://listener.example.com", domains},
		{"DOMAINS", "listener.example.com/", domains},
		{"DOMAINS", "listener.example.com.", domains},
		{"DOMAINS", "listener..com", domains},
		{"DOMAINS", "-a.example", domains},
		{"DOMAINS", "a-.example", domains},
		{"DOMAINS", "a_b.example", domains},
		{"DOMAINS", "bücher.example", domains},
		{"DOMAINS", "a.example b.example", domains},
		{"DOMAINS", "a.example,", domains},
		{"DOMAINS", ",", domains},
		{"DOMAINS", " ", domains},
		{"EMAIL", "ops@example.com", ""},
		{"EMAIL", "ops", email},
		{"EMAIL", "ops@", email},
		{"EMAIL", "Ops <ops@example.com>", email},
		{"EMAIL", "<ops@example.com>", email},
		{"EMAIL", " ops@example.com", email},
		{"EMAIL", "mailto:ops@example.com", email},
		{"EMAIL", "a@example.com, b@example.com", email},
		{"DIRECTORY_URL", "https://localhost:14000/dir", ""},
		{"DIRECTORY_URL", "http://localhost:14000/dir", directory},
		{"DIRECTORY_URL", "localhost:14000/dir", directory},
		{"DIRECTORY_URL", "https:///dir", directory},
		{"DIRECTORY_URL", "https://:14000/dir", directory},
		{"DIRECTORY_URL", "https://a b/", directory},
	} {
		t.Run(c.name+"="+c.value, func(t *testing.T) {
			name := "BITVILLE_ACME_" + c.name
			_, warnings, err := config.Load(with("BITVILLE_LISTEN_ADDR=:443", "BITVILLE_ACME_DOMAINS=a.example", name+"="+c.value))
			require.Empty(t, warnings)
			if c.message == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, name+` is "`+c.value+`"`+c.message)
			}
		})
	}
}

func TestACMEAndFilesAreOneTooMany(t *testing.T) {
	const cert, key = "BITVILLE_TLS_CERT_PATH=/cert.pem", "BITVILLE_TLS_KEY_PATH=/key.pem"
	for _, files := range [][]string{{cert, key}, {cert}, {key}} {
		_, _, err := config.Load(with(append(files, "BITVILLE_ACME_DOMAINS=a.example")...))
		require.EqualError(t, err, "BITVILLE_ACME_DOMAINS and BITVILLE_TLS_CERT_PATH or BITVILLE_TLS_KEY_PATH are both set: a certificate comes by ACME or from files")
	}
}

func TestACMEWithoutDomainsWarns(t *testing.T) {
	_, warnings, err := config.Load(with("BITVILLE_ACME_EMAIL=nobody", "BITVILLE_ACME_DIRECTORY_URL=nowhere", "BITVILLE_ACME_CACHE_DIR=/acme", "BITVILLE_ACME_DOMAINS="))
	require.NoError(t, err)
	require.Equal(t, []string{
		"BITVILLE_ACME_CACHE_DIR does nothing without BITVILLE_ACME_DOMAINS",
		"BITVILLE_ACME_DIRECTORY_URL does nothing without BITVILLE_ACME_DOMAINS",
		"BITVILLE_ACME_EMAIL does nothing without BITVILLE_ACME_DOMAINS",
	}, warnings)
}

func TestProxiesOfAllWarn(t *testing.T) {
	for proxies, warns := range map[string]bool{"0.0.0.0/0": true, "10.0.0.1,::/0": true, "10.0.0.0/8": false} {
		_, warnings, err := config.Load(with("BITVILLE_TRUSTED_PROXIES=" + proxies))
		require.NoError(t, err)
		if warns {
			require.Equal(t, []string{"BITVILLE_TRUSTED_PROXIES holds all addresses, so that every client can pass for another; name those of the proxies alone"}, warnings, proxies)
		} else {
			require.Empty(t, warnings, proxies)
		}
	}
}

// forOthers is wrong in every setting that a command on the database passes over.
var forOthers = []string{
	"BITVILLE_API_KEYS=", "BITVILLE_API_KEY_SHOP=", "BITVILLE_LISTEN_ADDR=a", "BITVILLE_UDP_ADDR=b", "BITVILLE_TLS_CERT_PATH=/cert.pem",
	"BITVILLE_ACME_DOMAINS=localhost", "BITVILLE_ACME_EMAIL=c", "BITVILLE_ACME_DIRECTORY_URL=d", "BITVILLE_ACME_CACHE_DIR=e",
	"BITVILLE_MAX_CONNECTIONS=0", "BITVILLE_MAX_BODY_BYTES=0", "BITVILLE_AUTH_FAILURES_PER_MINUTE=0", "BITVILLE_TRUSTED_PROXIES=f", "BITVILLE_METRICS_ADDR=g",
}

func TestLoadCommand(t *testing.T) {
	want, _, err := config.LoadCommand(enough[:1])
	require.NoError(t, err)
	require.Empty(t, want.Keys)
	cfg, warnings, err := config.LoadCommand(append(forOthers, enough[0]))
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Equal(t, want, cfg)

	_, _, err = config.LoadCommand(append(forOthers, "BITVILLE_RETENTION=x", "BITVILLE_LOG_LEVEL=x", "BITVILLE_LOG_FORMAT=x", "BITVILLE_DB_SYNCHRONOUS=x"))
	require.ErrorContains(t, err, noDB)
	require.Len(t, strings.Split(err.Error(), "\n"), 5)
}

func TestFunctionsWarnOfWhatDoesNothingThere(t *testing.T) {
	listener := []string{"BITVILLE_ACME_CACHE_DIR", "BITVILLE_ACME_DIRECTORY_URL", "BITVILLE_ACME_DOMAINS", "BITVILLE_ACME_EMAIL", "BITVILLE_LISTEN_ADDR",
		"BITVILLE_MAX_CONNECTIONS", "BITVILLE_METRICS_ADDR", "BITVILLE_TLS_CERT_PATH", "BITVILLE_UDP_ADDR"}
	for i, name := range listener {
		listener[i] = name + " does nothing on AWS Lambda"
	}
	const url = "BITVILLE_DB_URL=libsql://db.example"
	cfg, warnings, err := config.LoadFunction(append(forOthers, url), false)
	require.NoError(t, err)
	require.Equal(t, listener, warnings)
	require.Equal(t, ":8443", cfg.ListenAddr)

	_, warnings, err = config.LoadFunction(append(forOthers, url), true)
	require.Equal(t, listener, warnings)
	for _, name := range []string{"BITVILLE_API_KEY_SHOP", "BITVILLE_MAX_BODY_BYTES", "BITVILLE_AUTH_FAILURES_PER_MINUTE", "BITVILLE_TRUSTED_PROXIES"} {
		require.ErrorContains(t, err, name)
	}
	require.Len(t, strings.Split(err.Error(), "\n"), 4)

	cfg, warnings, err = config.LoadFunction([]string{url, enough[1], "BITVILLE_AUTH_FAILURES_PER_MINUTE=7", "BITVILLE_TRUSTED_PROXIES=10.0.0.1"}, true)
	require.NoError(t, err)
	require.Empty(t, warnings)
	require.Equal(t, 7, cfg.AuthFailuresPerMinute)
	require.Len(t, cfg.TrustedProxies, 1)
}
