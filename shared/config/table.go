package config

import (
	"reflect"
	"slices"
	"strings"

	"github.com/bitville/listener/shared/mask"
)

// Setting documents one variable.
type Setting struct {
	Name    string
	Default string // of the field's tag
	Doc     string

	like    string   // what to set in place of a value that is wrong
	choices []string // all that it may be; nil: see like
}

// program is one whose settings are read: the listener, or an agent.
type program struct {
	name   string       // in texts
	fields reflect.Type // of its settings
	table  []Setting    // that document the fields, in the order of the manual's
}

var listenerProgram = program{"listener", reflect.TypeFor[Config](), table}

// table documents the fields of Config, in the order of the README's.
var table = []Setting{
	{
		Name: "BITVILLE_DB_PATH",
		Doc:  "The SQLite database, a file; it is made when missing. This or BITVILLE_DB_URL is required",
	},
	{
		Name: "BITVILLE_DB_URL",
		Doc:  "The libSQL server, libsql://, https:// or http://, instead of a file. The only choice on AWS Lambda",
	},
	{
		Name: "BITVILLE_DB_AUTH_TOKEN",
		Doc:  "The token that the libSQL server asks for",
	},
	{
		Name:    "BITVILLE_DB_SYNCHRONOUS",
		Doc:     "What a power cut may cost: NORMAL the last second, FULL nothing",
		choices: []string{"NORMAL", "FULL"},
	},
	{
		Name: "BITVILLE_RETENTION",
		Doc:  "How long records are kept, by their timestamp; older ones are refused, and purged every hour",
		like: "a Go duration of a minute at least, such as 168h",
	},
	{
		Name: "BITVILLE_HISTORY",
		Doc:  "How long the figures of a day are kept: counts and percentiles of each route and statement, and their names, without records",
		like: "a Go duration of a day at least, such as 2160h",
	},
	{
		Name:    "BITVILLE_READ_VALUES",
		Doc:     "Whether pages and commands show literals, values of query strings and secrets, or a ? in their place",
		choices: []string{"masked", "show"},
	},
	{
		Name: clientKey,
		Doc:  "The read key that listener slowest, trace, why, routes and statements send with --url. The listener itself does not read it",
	},
	{
		Name: "BITVILLE_CA_PATH",
		Doc:  "A certificate file, PEM, that these commands trust beside the system's; agents too. The listener itself does not read it",
	},
	{
		Name: "BITVILLE_LISTEN_ADDR",
		Doc:  "Where HTTPS is served, host:port",
		like: "host:port with the port's number, such as :8443",
	},
	{
		Name: "BITVILLE_UDP_ADDR",
		Doc:  "Where records are taken over UDP, host:port; off when it is not set. The port may be that of HTTPS",
		like: "host:port with the port's number, such as :8443",
	},
	{
		Name: "BITVILLE_TLS_CERT_PATH",
		Doc: "The certificate chain, PEM. Without it a self-signed pair is made beside the database, or in the " +
			"working folder when that is a server, and kept",
	},
	{
		Name: "BITVILLE_TLS_KEY_PATH",
		Doc:  "The certificate's private key, PEM",
	},
	{
		Name: "BITVILLE_ACME_DOMAINS",
		Doc: "The names to get certificates for by ACME, with commas between them, instead of files. The authority " +
			"must reach the listener by each of them at port 443",
		like: "full names with commas between them, such as listener.example.com: no address, port or wildcard, " +
			"other letters than ASCII as xn--",
	},
	{
		Name: "BITVILLE_ACME_EMAIL",
		Doc:  "Where the authority may write to when a certificate is in trouble",
		like: "an address alone, such as ops@example.com",
	},
	{
		Name: "BITVILLE_ACME_DIRECTORY_URL",
		Doc:  "The authority's ACME directory",
		like: "an https:// URL, such as https://acme-v02.api.letsencrypt.org/directory",
	},
	{
		Name: "BITVILLE_ACME_CACHE_DIR",
		Doc: "The folder that keeps the ACME account and certificates. Without it acme beside the database, or in " +
			"the working folder when that is a server",
	},
	{
		Name: "BITVILLE_MAX_CONNECTIONS",
		Doc: "How many connections are served at one time, at most three in four of them for one client address " +
			"(IPv6: a /64). Beyond that a new one takes the place of the one that has asked nothing for longest, " +
			"at least three seconds, or is refused",
		like: "a whole number, at least 16, such as 4096",
	},
	{
		Name: "BITVILLE_MAX_BODY_BYTES",
		Doc: "The largest request body on the wire, in bytes; at most 33554432, which is the limit once " +
			"decompressed",
		like: "a whole number of bytes from 1024 to 33554432, such as 4194304",
	},
	{
		Name: "BITVILLE_AUTH_FAILURES_PER_MINUTE",
		Doc: "How many requests without a valid key a client address (IPv6: a /64) may send in a minute; more are " +
			"answered 429. A valid key is never held up",
		like: "a whole number above 0, such as 100",
	},
	{
		Name: "BITVILLE_TRUSTED_PROXIES",
		Doc: "The reverse proxies whose X-Forwarded-For is believed, addresses and CIDRs with commas between them. " +
			"Without it no header is",
		like: "addresses and CIDRs with commas between them, such as 127.0.0.1,10.0.0.0/8",
	},
	{
		Name: "BITVILLE_IMPORT_KEEP",
		Doc: "What is stored of other agents' records although it is often secret, names with commas between them: " +
			strings.Join(mask.Dropped, ", ") + ". Without it none is",
		like: "names with commas between them, such as query_values,exception.message; each is one of " +
			strings.Join(mask.Dropped, ", "),
	},
	{
		Name: "BITVILLE_REDACT",
		Doc: "What is taken out of statements and plans before they are stored: nothing, or their literals, for which " +
			"a question mark stands then",
		choices: []string{"off", "literals"},
	},
	{
		Name: "BITVILLE_METRICS_ADDR",
		Doc: "Where /metrics (Prometheus) and /debug/pprof/ are served, without a key and over plain HTTP, " +
			"host:port such as 127.0.0.1:9464; off when it is not set",
		like: "host:port with the port's number, such as 127.0.0.1:9464",
	},
	{
		Name:    "BITVILLE_LOG_LEVEL",
		Doc:     "The least level that is logged; each request is a line at info, or at error for a 5xx",
		choices: []string{"debug", "info", "warn", "error"},
	},
	{
		Name:    "BITVILLE_LOG_FORMAT",
		Doc:     "The log's format; text on a terminal and json elsewhere when it is not set",
		choices: []string{"text", "json"},
	},
}

// eachField calls f for each setting's struct field.
func (p program) eachField(f func(field reflect.StructField, name string)) {
	for _, field := range reflect.VisibleFields(p.fields) {
		if name := field.Tag.Get("env"); name != "" {
			f(field, name)
		}
	}
}

// Settings lists all variables of the listener, in the order of the README's table.
func Settings() []Setting { return slices.Concat(keySettings(), listenerProgram.settings()) }

// keySettings are those that are no fields.
func keySettings() []Setting {
	return []Setting{
		{Name: apiKeys.prefix + "<PROJECT>", Doc: "The project's API key, or several with commas between them while one replaces another. The project is the rest of the name in lower case. This and every other secret can be read from a file, which the name with _FILE behind it names (BITVILLE_API_KEY_SHOP_FILE)"},
		{Name: apiKeys.all, Doc: `The keys of all projects as JSON, {"shop":"key[,key…]",…}; may stand beside the former for other projects. A list of keys in place of the string can limit one to routes: {"shop":["key",{"key":"…","routes":["/v1/traces"]}]}`},
		{Name: readKeys.prefix + "<PROJECT>", Doc: "The key that reads the project's pages under /traces and its JSON. None set: there are no such pages. It must not be an API key"},
		{Name: readKeys.all, Doc: `The read keys of all projects as JSON, {"shop":"key[,key…]","*":"key"}; * stands for every project`},
	}
}

// settings lists the program's fields.
func (p program) settings() (settings []Setting) {
	defaults := make(map[string]string)
	p.eachField(func(field reflect.StructField, name string) { defaults[name] = field.Tag.Get("envDefault") })
	for _, s := range p.table {
		s.Default = defaults[s.Name]
		if len(s.choices) > 0 {
			s.Doc += " (" + strings.Join(s.choices, ", ") + ")"
		}
		settings = append(settings, s)
	}
	return settings
}

// like returns what to set in place of a value that is wrong.
func (p program) like(name string) string { return p.setting(name).like }

func (p program) setting(name string) Setting {
	return p.table[slices.IndexFunc(p.table, func(s Setting) bool { return s.Name == name })]
}
