// Package config reads the listener's settings, all of them from the environment, and tells every problem
// at once, each with the variable's name and what to set.
package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/clientip"
)

// Config holds the settings. The tags are the documentation: the README's table is held equal to them. What is
// only for the listener (the one process) or for ingest is not read, and not judged, where that is not done.
type Config struct {
	Keys []auth.Key // from BITVILLE_API_KEY_<PROJECT> and BITVILLE_API_KEYS

	DBPath                string           `env:"BITVILLE_DB_PATH" doc:"The SQLite database, a file; it is made when missing. This or BITVILLE_DB_URL is required"`
	DBURL                 string           `env:"BITVILLE_DB_URL" doc:"The libSQL server, libsql://, https:// or http://, instead of a file. The only choice on AWS Lambda"`
	DBAuthToken           auth.Secret      `env:"BITVILLE_DB_AUTH_TOKEN" doc:"The token that the libSQL server asks for"`
	DBSynchronous         string           `env:"BITVILLE_DB_SYNCHRONOUS" envDefault:"NORMAL" one:"NORMAL FULL" doc:"What a power cut may cost: NORMAL the last second, FULL nothing"`
	Retention             time.Duration    `env:"BITVILLE_RETENTION" envDefault:"168h" like:"a Go duration of a minute at least, such as 168h" doc:"How long records are kept, by their timestamp; older ones are refused, and purged every hour"`
	ListenAddr            string           `env:"BITVILLE_LISTEN_ADDR" only:"listener" envDefault:":8443" like:"host:port with the port's number, such as :8443" doc:"Where HTTPS is served, host:port"`
	UDPAddr               string           `env:"BITVILLE_UDP_ADDR" only:"listener" like:"host:port with the port's number, such as :8443" doc:"Where records are taken over UDP, host:port; off when it is not set. The port may be that of HTTPS"`
	TLSCertPath           string           `env:"BITVILLE_TLS_CERT_PATH" only:"listener" doc:"The certificate chain, PEM. Without it a self-signed pair is made beside the database, or in the working folder when that is a server, and kept"`
	TLSKeyPath            string           `env:"BITVILLE_TLS_KEY_PATH" only:"listener" doc:"The certificate's private key, PEM"`
	ACMEDomains           []string         `env:"BITVILLE_ACME_DOMAINS" only:"listener" like:"full names with commas between them, such as listener.example.com: no address, port or wildcard, other letters than ASCII as xn--" doc:"The names to get certificates for by ACME, with commas between them, instead of files. The authority must reach the listener by each of them at port 443"`
	ACMEEmail             string           `env:"BITVILLE_ACME_EMAIL" only:"listener" like:"an address alone, such as ops@example.com" doc:"Where the authority may write to when a certificate is in trouble"`
	ACMEDirectoryURL      string           `env:"BITVILLE_ACME_DIRECTORY_URL" only:"listener" envDefault:"https://acme-v02.api.letsencrypt.org/directory" like:"an https:// URL, such as https://acme-v02.api.letsencrypt.org/directory" doc:"The authority's ACME directory"`
	ACMECacheDir          string           `env:"BITVILLE_ACME_CACHE_DIR" only:"listener" doc:"The folder that keeps the ACME account and certificates. Without it acme beside the database, or in the working folder when that is a server"`
	MaxConnections        int              `env:"BITVILLE_MAX_CONNECTIONS" only:"listener" envDefault:"4096" like:"a whole number, at least 16, such as 4096" doc:"How many connections are served at one time, at most three in four of them for one client address (IPv6: a /64). Beyond that a new one takes the place of the one that has asked nothing for longest, at least three seconds, or is refused"`
	MaxBodyBytes          int64            `env:"BITVILLE_MAX_BODY_BYTES" only:"ingest" envDefault:"4194304" like:"a whole number of bytes from 1024 to 33554432, such as 4194304" doc:"The largest request body on the wire, in bytes; at most 33554432, which is the limit once decompressed"`
	AuthFailuresPerMinute int              `env:"BITVILLE_AUTH_FAILURES_PER_MINUTE" only:"ingest" envDefault:"100" like:"a whole number above 0, such as 100" doc:"How many requests without a valid key a client address (IPv6: a /64) may send in a minute; more are answered 429. A valid key is never held up"`
	TrustedProxies        clientip.Proxies `env:"BITVILLE_TRUSTED_PROXIES" only:"ingest" like:"addresses and CIDRs with commas between them, such as 127.0.0.1,10.0.0.0/8" doc:"The reverse proxies whose X-Forwarded-For is believed, addresses and CIDRs with commas between them. Without it no header is"`
	MetricsAddr           string           `env:"BITVILLE_METRICS_ADDR" only:"listener" like:"host:port with the port's number, such as 127.0.0.1:9464" doc:"Where /metrics (Prometheus) and /debug/pprof/ are served, without a key and over plain HTTP, host:port such as 127.0.0.1:9464; off when it is not set"`
	LogLevel              slog.Level       `env:"BITVILLE_LOG_LEVEL" envDefault:"info" one:"debug info warn error" doc:"The least level that is logged; each request is a line at info, or at error for a 5xx"`
	LogFormat             string           `env:"BITVILLE_LOG_FORMAT" one:"text json" doc:"The log's format; text on a terminal and json elsewhere when it is not set"`
}

// Load reads the settings of the one-process listener from environ, which has the form of os.Environ. An
// empty variable counts as not set, but for a key's. A secret may stand in a file, see fileSuffix. The error joins every
// problem, and what is wrong is then empty in cfg, so that the rest can be looked at; warnings are for the log.
func Load(environ []string) (cfg Config, warnings []string, err error) {
	return load(environ, reader{listener: true, ingest: true, database: oneDatabase})
}

// LoadCommand reads the settings of a command on the listener's database likewise. It needs no API keys, so
// that it runs where they are not.
func LoadCommand(environ []string) (cfg Config, warnings []string, err error) {
	return load(environ, reader{database: oneDatabase})
}

// LoadFunction reads the settings of a Lambda function likewise. It needs a remote database, for a function
// loses its files; and API keys only when it has callers to tell apart.
func LoadFunction(environ []string, needsKeys bool) (cfg Config, warnings []string, err error) {
	return load(environ, reader{lambda: true, ingest: needsKeys, database: remoteDatabase})
}

// reader is who reads the settings.
type reader struct {
	listener, ingest bool // reads what is only for them; API keys are for ingest
	lambda           bool // runs where what is for the listener does nothing
	database         func(*Config) error
}

func load(environ []string, by reader) (cfg Config, warnings []string, err error) {
	vars := make(map[string]string)
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		switch {
		case strings.HasPrefix(name, "BITVILLE_"):
			vars[name] = value
		case strings.HasPrefix(strings.ToUpper(name), "BITVILLE_"): // names are upper case
			warnings = append(warnings, unknown(name))
		}
	}
	problems := readFiles(vars, func(secret string) bool { return by.ingest || !isKeys(secret) })
	if by.ingest {
		keys, more, wrong := readKeys(vars, len(problems) > 0)
		cfg.Keys = keys
		warnings = append(warnings, more...)
		problems = append(problems, wrong...)
	}
	set, more := by.settings(vars)
	warnings = append(warnings, more...)
	problems = append(problems, unquoted(set)...)
	problems = append(problems, checkChoices(set)...)
	if err := env.ParseWithOptions(&cfg, env.Options{Environment: set}); err != nil {
		problems = append(problems, named(err, set)...)
	}
	if !slices.ContainsFunc(problems, isOfDatabase) {
		problems = append(problems, by.database(&cfg))
	}
	more, wrong := cfg.check(set)
	warnings = append(warnings, more...)
	problems = append(problems, wrong...)
	slices.Sort(warnings)
	return cfg, warnings, errors.Join(problems...)
}

// settings returns the variables that are fields and that the reader reads, and warns of those that do nothing.
func (by reader) settings(vars map[string]string) (set map[string]string, warnings []string) {
	only := make(map[string]string)
	eachField(func(field reflect.StructField, name string) { only[name] = field.Tag.Get("only") })
	set = make(map[string]string)
	for name, value := range vars {
		what, known := only[name]
		switch {
		case strings.HasPrefix(name, keyPrefix) || name == keysName:
		case !known:
			warnings = append(warnings, unknown(name))
		case value == "" || what == "ingest" && !by.ingest:
		case what == "listener" && by.lambda:
			warnings = append(warnings, name+" does nothing on AWS Lambda")
		case what == "listener" && !by.listener:
		default:
			set[name] = value
		}
	}
	return set, warnings
}

// checkChoices holds the variables that have a few allowed values against them, and takes a bad one out
// of set, so that it is told once.
func checkChoices(set map[string]string) (problems []error) {
	eachField(func(field reflect.StructField, name string) {
		choices := strings.Fields(field.Tag.Get("one"))
		if value, ok := set[name]; ok && len(choices) > 0 && !slices.Contains(choices, value) {
			problems = append(problems, fmt.Errorf("%s is %q: set one of %s", name, value, strings.Join(choices, ", ")))
			delete(set, name)
		}
	})
	return problems
}

// named makes the parser's errors, which name fields, errors that name variables, and takes those out of
// set, so that each is told once.
func named(err error, set map[string]string) (problems []error) {
	all, ok := errors.AsType[env.AggregateError](err)
	if !ok {
		return []error{err}
	}
	for _, err := range all.Errors {
		if parse, ok := errors.AsType[env.ParseError](err); ok {
			field, _ := reflect.TypeFor[Config]().FieldByName(parse.Name)
			name := field.Tag.Get("env")
			what := fmt.Sprintf("%s is %q", name, set[name])
			if parse.Type == reflect.TypeFor[clientip.Proxies]() {
				what = fmt.Sprintf("%s: %v", name, parse.Err) // says which entry is wrong
			}
			hint := ""
			if name == "BITVILLE_RETENTION" {
				hint = durationHint(set[name])
			}
			err = fmt.Errorf("%s: set %s%s", what, field.Tag.Get("like"), hint)
			delete(set, name)
		}
		problems = append(problems, err)
	}
	return problems
}

// NewLog returns the log that the settings ask for. terminal tells whether w is one, where text is easier read.
func (c *Config) NewLog(w io.Writer, terminal bool) *slog.Logger {
	options := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "text" || c.LogFormat == "" && terminal {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}
