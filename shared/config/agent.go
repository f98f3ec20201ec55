package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/bitville/listener/shared/auth"
)

// Agent holds the settings that all agents have which are commands of the listener's program.
type Agent struct {
	URL           string        `env:"BITVILLE_URL"`
	Project       string        `env:"BITVILLE_PROJECT"`
	Key           auth.Secret   `env:"BITVILLE_API_KEY"`
	CAPath        string        `env:"BITVILLE_CA_PATH"`
	StateDir      string        `env:"BITVILLE_STATE_DIR"`
	SpoolMaxBytes int64         `env:"BITVILLE_SPOOL_MAX_BYTES" envDefault:"268435456"`
	FlushInterval time.Duration `env:"BITVILLE_FLUSH_INTERVAL" envDefault:"1s"`
	MetricsAddr   string        `env:"BITVILLE_METRICS_ADDR"`
	Log

	Keys []auth.Key // of all projects, Project's among them
}

// Relay holds the settings of the relay.
type Relay struct {
	Agent
	Addr     string `env:"BITVILLE_RELAY_ADDR" envDefault:"127.0.0.1:8444"`
	SpoolDir string `env:"BITVILLE_SPOOL_DIR"`
}

// Postgres holds the settings of the agent beside Postgres.
type Postgres struct {
	Agent
	LogFiles      string      `env:"BITVILLE_POSTGRES_LOG"`
	LogFileFormat string      `env:"BITVILLE_POSTGRES_LOG_FORMAT" envDefault:"auto"`
	LogLinePrefix string      `env:"BITVILLE_POSTGRES_LOG_LINE_PREFIX" envDefault:"%m [%p] %c %l %Q %q%u@%d/%a "`
	DSN           auth.Secret `env:"BITVILLE_POSTGRES_DSN"`
	Redact        string      `env:"BITVILLE_REDACT" envDefault:"off"`
}

// leastSpool is the least bound of a spool, in bytes.
const leastSpool = 1 << 20

var agentTable = []Setting{
	{
		Name: "BITVILLE_URL",
		Doc:  "The listener, https://host:port. Required",
		like: "https://host:port of the listener alone, such as https://listener.example:8443",
	},
	{
		Name: "BITVILLE_PROJECT",
		Doc:  "The project that the records are of",
	},
	{
		Name: "BITVILLE_API_KEY",
		Doc:  "The project's API key, as the listener has it",
	},
	{
		Name: "BITVILLE_CA_PATH",
		Doc:  "A PEM file of certificates to trust beside the system's, such as the listener's cert.pem",
	},
	{
		Name: "BITVILLE_STATE_DIR",
		Doc:  "The folder that keeps what is not yet sent (spool) and what was refused (rejected). Required",
	},
	{
		Name: "BITVILLE_SPOOL_MAX_BYTES",
		Doc:  "The most bytes that these folders may hold; at least 1048576",
		like: "a whole number of bytes, at least 1048576, such as 268435456",
	},
	{
		Name: "BITVILLE_FLUSH_INTERVAL",
		Doc:  "How long records wait for others, so that they are sent together",
		like: "a Go duration above 0, such as 1s",
	},
	listenerProgram.setting("BITVILLE_METRICS_ADDR"),
	{
		Name:    "BITVILLE_LOG_LEVEL",
		Doc:     "The least level that is logged",
		choices: listenerProgram.setting("BITVILLE_LOG_LEVEL").choices,
	},
	listenerProgram.setting("BITVILLE_LOG_FORMAT"),
}

var relayProgram = program{"relay", reflect.TypeFor[Relay](), slices.Concat([]Setting{
	{
		Name: "BITVILLE_RELAY_ADDR",
		Doc:  "Where datagrams are taken, host:port",
		like: "host:port with the port's number, such as 127.0.0.1:8444",
	},
	{
		Name: "BITVILLE_SPOOL_DIR",
		Doc:  "The folder into which PHP agents write files (their BITVILLE_URL is file:// and this folder); none when it is not set",
	},
}, agentTable)}

var postgresProgram = program{"agent", reflect.TypeFor[Postgres](), slices.Concat([]Setting{
	{
		Name: "BITVILLE_POSTGRES_LOG",
		Doc:  "Where the log is: a folder, a glob, - for standard input, sql to read it over the connection",
	},
	{
		Name:    "BITVILLE_POSTGRES_LOG_FORMAT",
		Doc:     "The log's format; auto takes the first of the others that is there",
		choices: []string{"auto", "jsonlog", "csvlog", "stderr"},
	},
	{
		Name: "BITVILLE_POSTGRES_LOG_LINE_PREFIX",
		Doc:  "The server's log_line_prefix, for the format stderr",
	},
	{
		Name: "BITVILLE_POSTGRES_DSN",
		Doc:  "The connection, as libpq takes it",
	},
	{
		Name:    "BITVILLE_REDACT",
		Doc:     "What is taken out before records leave the host",
		choices: []string{"off", "literals"},
	},
}, agentTable)}

// LoadRelay reads the settings of the relay from environ, as Load reads the listener's.
func LoadRelay(environ []string) (cfg Relay, warnings []string, err error) {
	set, warnings, problems := relayProgram.loadAgent(environ, &cfg, &cfg.Agent, true)
	if cfg.SpoolDir != "" {
		if err := checkPath(cfg.SpoolDir); err != nil {
			problems = append(problems, fmt.Errorf("BITVILLE_SPOOL_DIR %w", err))
			cfg.SpoolDir = ""
		}
	}
	if set["BITVILLE_RELAY_ADDR"] != "" && !isAddress(cfg.Addr) {
		problems = append(problems, fmt.Errorf("BITVILLE_RELAY_ADDR is %q: set %s", cfg.Addr, relayProgram.like("BITVILLE_RELAY_ADDR")))
		cfg.Addr = ""
	}
	return cfg, warnings, errors.Join(problems...)
}

// LoadPostgres reads the settings of the agent beside Postgres likewise. It has one project.
func LoadPostgres(environ []string) (cfg Postgres, warnings []string, err error) {
	_, warnings, problems := postgresProgram.loadAgent(environ, &cfg, &cfg.Agent, false)
	return cfg, warnings, errors.Join(problems...)
}

// RelaySettings and PostgresSettings list the variables of an agent, in the order of its manual.
func RelaySettings() []Setting    { return slices.Concat(relayProgram.settings(), keySettings()[:2]) } // an agent reads nothing
func PostgresSettings() []Setting { return postgresProgram.settings() }

// loadAgent reads the settings of an agent into cfg, which agent is a part of. hasAllKeys is for one that takes the keys
// of many projects, as the listener does. set holds the variables that are set and could be read.
func (p program) loadAgent(environ []string, cfg any, agent *Agent, hasAllKeys bool) (set map[string]string, warnings []string, problems []error) {
	known := make(map[string]bool)
	p.eachField(func(_ reflect.StructField, name string) { known[name] = true })
	vars := make(map[string]string)
	for _, v := range environ {
		if name, value, _ := strings.Cut(v, "="); strings.HasPrefix(strings.ToUpper(name), "BITVILLE_") {
			vars[name] = value
		}
	}
	problems = p.readFiles(vars, func(secret string) bool { return known[secret] || hasAllKeys })
	set = make(map[string]string)
	for name, value := range vars {
		switch {
		case hasAllKeys && isKeys(name):
		case !known[name]:
			warnings = append(warnings, p.unknown(name))
		case value != "":
			set[name] = value
		}
	}
	hasKey := len(problems) > 0 || set["BITVILLE_API_KEY"] != "" // or it was told why not
	problems = append(problems, unquoted(set)...)
	problems = append(problems, p.checkChoices(set)...)
	if err := env.ParseWithOptions(cfg, env.Options{Environment: set}); err != nil {
		problems = append(problems, p.named(err, set)...)
	}
	more, wrong := agent.check(p, set)
	warnings, problems = append(warnings, more...), append(problems, wrong...)
	more, wrong = agent.readKeys(vars, hasKey, hasAllKeys)
	warnings, problems = append(warnings, more...), append(problems, wrong...)
	slices.Sort(warnings)
	return set, warnings, problems
}
