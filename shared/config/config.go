// Package config reads the listener's settings, all of them from the environment, and tells every problem
// at once, each with the variable's name and what to set.
package config

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/record"
)

// Config holds the settings. The tags are the documentation: the README's table is held equal to them.
type Config struct {
	Keys []auth.Key // from BITVILLE_API_KEY_<PROJECT> and BITVILLE_API_KEYS

	DBPath        string        `env:"BITVILLE_DB_PATH" doc:"The SQLite database, a file; it is made when missing. This or BITVILLE_DB_URL is required"`
	DBURL         string        `env:"BITVILLE_DB_URL" doc:"The libSQL server, libsql://, https:// or http://, instead of a file. The only choice on AWS Lambda"`
	DBAuthToken   auth.Secret   `env:"BITVILLE_DB_AUTH_TOKEN" doc:"The token that the libSQL server asks for"`
	DBSynchronous string        `env:"BITVILLE_DB_SYNCHRONOUS" envDefault:"NORMAL" one:"NORMAL FULL" doc:"What a power cut may cost: NORMAL the last second, FULL nothing"`
	Retention     time.Duration `env:"BITVILLE_RETENTION" envDefault:"168h" like:"a Go duration above 0, such as 168h" doc:"How long records are kept, by their timestamp; older ones are refused, and purged every hour"`
	ListenAddr    string        `env:"BITVILLE_LISTEN_ADDR" envDefault:":8443" doc:"Where HTTPS is served, host:port"`
	TLSCertPath   string        `env:"BITVILLE_TLS_CERT_PATH" doc:"The certificate chain, PEM. Without it a self-signed pair is made beside the database, or in the working folder when that is a server, and kept"`
	TLSKeyPath    string        `env:"BITVILLE_TLS_KEY_PATH" doc:"The certificate's private key, PEM"`
	MaxBodyBytes  int64         `env:"BITVILLE_MAX_BODY_BYTES" envDefault:"4194304" like:"a whole number of bytes above 0 and at most 33554432, such as 4194304" doc:"The largest request body on the wire, in bytes; at most 33554432, which is the limit once decompressed"`
	LogLevel      slog.Level    `env:"BITVILLE_LOG_LEVEL" envDefault:"info" one:"debug info warn error" doc:"The least level that is logged; each request is a line at info, or at error for a 5xx"`
	LogFormat     string        `env:"BITVILLE_LOG_FORMAT" one:"text json" doc:"The log's format; text on a terminal and json elsewhere when it is not set"`
}

// Settings that are not fields.
const (
	keyPrefix = "BITVILLE_API_KEY_"
	keysName  = "BITVILLE_API_KEYS"
)

// Load reads the settings of the one-process listener from environ, which has the form of os.Environ. An
// empty variable counts as not set, but for a key's. The error joins every problem; warnings are for the log.
func Load(environ []string) (cfg Config, warnings []string, err error) {
	return load(environ, true, oneDatabase)
}

// LoadCommand reads the settings of a command on the listener's database likewise. It needs no API keys, so
// that it runs where they are not.
func LoadCommand(environ []string) (cfg Config, warnings []string, err error) {
	return load(environ, false, oneDatabase)
}

func oneDatabase(c *Config) error {
	switch {
	case c.DBPath == "" && c.DBURL == "":
		return errors.New("BITVILLE_DB_PATH is not set: name the database file, such as /var/lib/bitville/bitville.db")
	case c.DBPath != "" && c.DBURL != "":
		return errors.New("BITVILLE_DB_PATH and BITVILLE_DB_URL are both set: a listener has one database")
	}
	return nil
}

// LoadFunction reads the settings of a Lambda function likewise. It needs a remote database, for a function
// loses its files; and API keys only when it has callers to tell apart.
func LoadFunction(environ []string, needsKeys bool) (cfg Config, warnings []string, err error) {
	return load(environ, needsKeys, func(c *Config) error {
		switch {
		case c.DBPath != "":
			return errors.New("BITVILLE_DB_PATH is set: a function loses its files; set BITVILLE_DB_URL to a libSQL server instead")
		case c.DBURL == "":
			return errors.New("BITVILLE_DB_URL is not set: name a libSQL server, such as libsql://bitville-yours.turso.io")
		}
		return nil
	})
}

func load(environ []string, needsKeys bool, database func(*Config) error) (cfg Config, warnings []string, err error) {
	vars := make(map[string]string)
	for _, v := range environ {
		if name, value, _ := strings.Cut(v, "="); strings.HasPrefix(name, "BITVILLE_") {
			vars[name] = value
		}
	}
	var problems []error
	if needsKeys {
		cfg.Keys, warnings, problems = readKeys(vars)
	}
	known := knownNames()
	set := make(map[string]string)
	for name, value := range vars {
		if strings.HasPrefix(name, keyPrefix) || name == keysName {
			continue
		}
		if !slices.Contains(known, name) {
			warnings = append(warnings, name+" is not a setting of this listener and does nothing")
		}
		if value != "" {
			set[name] = value
		}
	}
	problems = append(problems, checkChoices(set)...)
	if err := env.ParseWithOptions(&cfg, env.Options{Environment: set}); err != nil {
		problems = append(problems, named(err, set)...)
	}
	problems = append(problems, database(&cfg))
	problems = append(problems, cfg.check(set)...)
	slices.Sort(warnings)
	return cfg, warnings, errors.Join(problems...)
}

// check tells what no single variable's type can.
func (c *Config) check(set map[string]string) (problems []error) {
	if c.DBURL != "" {
		if err := checkURL(c.DBURL); err != nil {
			problems = append(problems, fmt.Errorf("BITVILLE_DB_URL %w", err))
		}
	}
	inRange := map[string]bool{
		"BITVILLE_RETENTION":      c.Retention > 0,
		"BITVILLE_MAX_BODY_BYTES": 0 < c.MaxBodyBytes && c.MaxBodyBytes <= record.MaxBody,
	}
	eachField(func(field reflect.StructField, name string) {
		if ok, has := inRange[name]; has && !ok && set[name] != "" {
			problems = append(problems, fmt.Errorf("%s is %q: set %s", name, set[name], field.Tag.Get("like")))
		}
	})
	if (c.TLSCertPath == "") != (c.TLSKeyPath == "") {
		problems = append(problems, errors.New("BITVILLE_TLS_CERT_PATH and BITVILLE_TLS_KEY_PATH go together: set both or neither"))
	}
	return problems
}

// checkURL tells what is wrong with a database's URL, without repeating it: a token may be in it.
func checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("is not a URL: set one such as libsql://bitville-yours.turso.io")
	case u.Scheme != "libsql" && u.Scheme != "https" && u.Scheme != "http":
		return errors.New("must begin with libsql://, https:// or http://; a file is set with BITVILLE_DB_PATH")
	case u.Hostname() == "":
		return errors.New("names no host: set one such as libsql://bitville-yours.turso.io")
	case u.User != nil || u.RawQuery != "":
		return errors.New("must hold nothing but the server's address; a token is set with BITVILLE_DB_AUTH_TOKEN")
	}
	return nil
}

// eachField calls f for each setting's struct field.
func eachField(f func(field reflect.StructField, name string)) {
	t := reflect.TypeFor[Config]()
	for i := range t.NumField() {
		if name := t.Field(i).Tag.Get("env"); name != "" {
			f(t.Field(i), name)
		}
	}
}

func knownNames() (names []string) {
	eachField(func(_ reflect.StructField, name string) { names = append(names, name) })
	return names
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
			err = fmt.Errorf("%s is %q: set %s", name, set[name], field.Tag.Get("like"))
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

// Setting documents one variable.
type Setting struct {
	Name    string
	Default string
	Doc     string
}

// Settings lists all variables, in the order of the README's table.
func Settings() []Setting {
	settings := []Setting{
		{keyPrefix + "<PROJECT>", "", "The project's API key, or several with commas between them while one replaces another. The project is the rest of the name in lower case"},
		{keysName, "", `The keys of all projects as JSON, {"shop":"key[,key…]",…}; may stand beside the former for other projects`},
	}
	eachField(func(field reflect.StructField, name string) {
		doc := field.Tag.Get("doc")
		if choices := strings.Fields(field.Tag.Get("one")); len(choices) > 0 {
			doc += " (" + strings.Join(choices, ", ") + ")"
		}
		settings = append(settings, Setting{name, field.Tag.Get("envDefault"), doc})
	})
	return settings
}
