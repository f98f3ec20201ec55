package config

import (
	"reflect"
	"slices"
	"strings"
)

// Setting documents one variable.
type Setting struct {
	Name    string
	Default string // of the field's tag
	Doc     string

	like    string   // what to set in place of a value that is wrong
	choices []string // all that it may be; nil: see like
}

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
func eachField(f func(field reflect.StructField, name string)) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		if name := field.Tag.Get("env"); name != "" {
			f(field, name)
		}
	}
}

// Settings lists all variables, in the order of the README's table.
func Settings() []Setting {
	settings := []Setting{
		{Name: keyPrefix + "<PROJECT>", Doc: "The project's API key, or several with commas between them while one replaces another. The project is the rest of the name in lower case. This and every other secret can be read from a file, which the name with _FILE behind it names (BITVILLE_API_KEY_SHOP_FILE)"},
		{Name: keysName, Doc: `The keys of all projects as JSON, {"shop":"key[,key…]",…}; may stand beside the former for other projects`},
	}
	defaults := make(map[string]string)
	eachField(func(field reflect.StructField, name string) { defaults[name] = field.Tag.Get("envDefault") })
	for _, s := range table {
		s.Default = defaults[s.Name]
		if len(s.choices) > 0 {
			s.Doc += " (" + strings.Join(s.choices, ", ") + ")"
		}
		settings = append(settings, s)
	}
	return settings
}

// like returns what to set in place of a value that is wrong.
func like(name string) string {
	return table[slices.IndexFunc(table, func(s Setting) bool { return s.Name == name })].like
}
