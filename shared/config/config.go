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

// Config holds the settings, in the sections that a host is made of. Settings tells what each is.
type Config struct {
	Store
	Intake
	Listener
	Log
}

// Store is where records are kept, and for how long. Every host and command reads it.
type Store struct {
	DBPath        string        `env:"BITVILLE_DB_PATH"`
	DBURL         string        `env:"BITVILLE_DB_URL"`
	DBAuthToken   auth.Secret   `env:"BITVILLE_DB_AUTH_TOKEN"`
	DBSynchronous string        `env:"BITVILLE_DB_SYNCHRONOUS" envDefault:"NORMAL"`
	Retention     time.Duration `env:"BITVILLE_RETENTION" envDefault:"168h"`
}

// Intake is what callers may do. Who has none does not read it.
type Intake struct {
	Keys []auth.Key // from BITVILLE_API_KEY_<PROJECT> and BITVILLE_API_KEYS

	MaxBodyBytes          int64            `env:"BITVILLE_MAX_BODY_BYTES" envDefault:"4194304"`
	AuthFailuresPerMinute int              `env:"BITVILLE_AUTH_FAILURES_PER_MINUTE" envDefault:"100"`
	TrustedProxies        clientip.Proxies `env:"BITVILLE_TRUSTED_PROXIES"`
}

// Listener is of the one process: on AWS Lambda it does nothing.
type Listener struct {
	ListenAddr       string   `env:"BITVILLE_LISTEN_ADDR" envDefault:":8443"`
	UDPAddr          string   `env:"BITVILLE_UDP_ADDR"`
	TLSCertPath      string   `env:"BITVILLE_TLS_CERT_PATH"`
	TLSKeyPath       string   `env:"BITVILLE_TLS_KEY_PATH"`
	ACMEDomains      []string `env:"BITVILLE_ACME_DOMAINS"`
	ACMEEmail        string   `env:"BITVILLE_ACME_EMAIL"`
	ACMEDirectoryURL string   `env:"BITVILLE_ACME_DIRECTORY_URL" envDefault:"https://acme-v02.api.letsencrypt.org/directory"`
	ACMECacheDir     string   `env:"BITVILLE_ACME_CACHE_DIR"`
	MaxConnections   int      `env:"BITVILLE_MAX_CONNECTIONS" envDefault:"4096"`
	MetricsAddr      string   `env:"BITVILLE_METRICS_ADDR"`
}

// Log is what is logged, and how.
type Log struct {
	LogLevel  slog.Level `env:"BITVILLE_LOG_LEVEL" envDefault:"info"`
	LogFormat string     `env:"BITVILLE_LOG_FORMAT"`
}

// Load reads the settings of the one-process listener from environ, which has the form of os.Environ. An
// empty variable counts as not set, but for a key's. A secret may stand in a file, see fileSuffix. The error joins every
// problem, and what is wrong is then empty in cfg, so that the rest can be looked at; warnings are for the log.
func Load(environ []string) (cfg Config, warnings []string, err error) {
	return load(environ, reader{sections: []section{intake, listener}, database: oneDatabase})
}

// LoadCommand reads the settings of a command on the listener's database likewise. It needs no API keys, so
// that it runs where they are not.
func LoadCommand(environ []string) (cfg Config, warnings []string, err error) {
	return load(environ, reader{database: oneDatabase})
}

// LoadFunction reads the settings of a Lambda function likewise. It needs a remote database, for a function
// loses its files; and API keys only when it has callers to tell apart.
func LoadFunction(environ []string, needsKeys bool) (cfg Config, warnings []string, err error) {
	by := reader{lambda: true, database: remoteDatabase}
	if needsKeys {
		by.sections = []section{intake}
	}
	return load(environ, by)
}

// section is the type of a section of Config.
type section reflect.Type

var (
	intake   section = reflect.TypeFor[Intake]()
	listener section = reflect.TypeFor[Listener]()
	always           = []section{reflect.TypeFor[Store](), reflect.TypeFor[Log]()}
)

// reader is who reads the settings.
type reader struct {
	sections []section // that it reads beyond those that all do
	lambda   bool      // runs where what is for the listener does nothing
	database func(*Config) error
}

func (by reader) reads(s section) bool {
	return slices.Contains(always, s) || slices.Contains(by.sections, s)
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
	problems := readFiles(vars, func(secret string) bool { return by.reads(intake) || !isKeys(secret) })
	if by.reads(intake) {
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
	sections := make(map[string]section)
	eachField(func(field reflect.StructField, name string) {
		sections[name] = reflect.TypeFor[Config]().Field(field.Index[0]).Type
	})
	set = make(map[string]string)
	for name, value := range vars {
		of, known := sections[name]
		switch {
		case strings.HasPrefix(name, keyPrefix) || name == keysName:
		case !known:
			warnings = append(warnings, unknown(name))
		case value == "":
		case by.reads(of):
			set[name] = value
		case by.lambda && of == listener:
			warnings = append(warnings, name+" does nothing on AWS Lambda")
		}
	}
	return set, warnings
}

// checkChoices holds the variables that have a few allowed values against them, and takes a bad one out
// of set, so that it is told once.
func checkChoices(set map[string]string) (problems []error) {
	for _, s := range table {
		if value, ok := set[s.Name]; ok && len(s.choices) > 0 && !slices.Contains(s.choices, value) {
			problems = append(problems, fmt.Errorf("%s is %q: set one of %s", s.Name, value, strings.Join(s.choices, ", ")))
			delete(set, s.Name)
		}
	}
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
			err = fmt.Errorf("%s: set %s%s", what, like(name), hint)
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
