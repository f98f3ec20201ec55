package config

import (
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/bitville/listener/shared/record"
)

func oneDatabase(c *Config) error {
	switch {
	case c.DBPath == "" && c.DBURL == "":
		return errors.New("BITVILLE_DB_PATH is not set: name the database file, such as /var/lib/bitville/bitville.db")
	case c.DBPath != "" && c.DBURL != "":
		return errors.New("BITVILLE_DB_PATH and BITVILLE_DB_URL are both set: a listener has one database")
	}
	return nil
}

func remoteDatabase(c *Config) error {
	switch {
	case c.DBPath != "":
		return errors.New("BITVILLE_DB_PATH is set: a function loses its files; set BITVILLE_DB_URL to a libSQL server instead")
	case c.DBURL == "":
		return errors.New("BITVILLE_DB_URL is not set: name a libSQL server, such as libsql://bitville-yours.turso.io")
	}
	return nil
}

// check tells what no single variable's type can, and fills in what follows from other settings. set holds the
// variables that are set and could be read.
func (c *Config) check(set map[string]string) (warnings []string, problems []error) {
	wrong := func(name string, err error) {
		problems = append(problems, fmt.Errorf("%s %w", name, err))
		c.clear(name)
	}
	for _, text := range []struct {
		name, value string
		check       func(string) error
	}{
		{"BITVILLE_DB_PATH", c.DBPath, checkDBPath},
		{"BITVILLE_DB_URL", c.DBURL, checkURL},
		{"BITVILLE_DB_AUTH_TOKEN", string(c.DBAuthToken), checkToken},
		{"BITVILLE_TLS_CERT_PATH", c.TLSCertPath, checkPath},
		{"BITVILLE_TLS_KEY_PATH", c.TLSKeyPath, checkPath},
		{"BITVILLE_ACME_CACHE_DIR", c.ACMECacheDir, checkPath},
	} {
		if text.value == "" {
			continue
		}
		if err := text.check(text.value); err != nil {
			wrong(text.name, err)
		}
	}
	warnings = append(warnings, c.completeACME(set)...)
	right := map[string]bool{
		"BITVILLE_RETENTION":                c.Retention >= leastRetention,
		"BITVILLE_LISTEN_ADDR":              isAddress(c.ListenAddr),
		"BITVILLE_UDP_ADDR":                 isAddress(c.UDPAddr),
		"BITVILLE_METRICS_ADDR":             isAddress(c.MetricsAddr),
		"BITVILLE_ACME_DOMAINS":             !slices.ContainsFunc(c.ACMEDomains, func(name string) bool { return !isDomain(name) }),
		"BITVILLE_ACME_EMAIL":               isEmail(c.ACMEEmail),
		"BITVILLE_ACME_DIRECTORY_URL":       isHTTPS(c.ACMEDirectoryURL),
		"BITVILLE_MAX_CONNECTIONS":          c.MaxConnections >= 16,
		"BITVILLE_MAX_BODY_BYTES":           leastBody <= c.MaxBodyBytes && c.MaxBodyBytes <= record.MaxBody,
		"BITVILLE_AUTH_FAILURES_PER_MINUTE": c.AuthFailuresPerMinute > 0,
	}
	for _, s := range table {
		if ok, has := right[s.Name]; has && !ok && set[s.Name] != "" {
			wrong(s.Name, fmt.Errorf("is %q: set %s", set[s.Name], s.like))
		}
	}
	warnings = append(warnings, c.doubts(set)...)
	files := set["BITVILLE_TLS_CERT_PATH"]+set["BITVILLE_TLS_KEY_PATH"] != ""
	switch {
	case files && set["BITVILLE_ACME_DOMAINS"] != "":
		problems = append(problems, errors.New("BITVILLE_ACME_DOMAINS and BITVILLE_TLS_CERT_PATH or BITVILLE_TLS_KEY_PATH are both set: a certificate comes by ACME or from files"))
	case files && (set["BITVILLE_TLS_CERT_PATH"] == "" || set["BITVILLE_TLS_KEY_PATH"] == ""):
		problems = append(problems, errors.New("BITVILLE_TLS_CERT_PATH and BITVILLE_TLS_KEY_PATH go together: set both or neither"))
	}
	if c.MetricsAddr != "" && right["BITVILLE_METRICS_ADDR"] {
		if collide(c.MetricsAddr, c.ListenAddr) {
			problems = append(problems, errors.New("BITVILLE_METRICS_ADDR and BITVILLE_LISTEN_ADDR are the same address: give each a port of its own"))
		}
		if !isLoopback(c.MetricsAddr) {
			warnings = append(warnings, "BITVILLE_METRICS_ADDR can be reached from other machines, and shows counts and profiles without a key; set 127.0.0.1 as its host, or see that nobody else gets there")
		}
	}
	if slices.ContainsFunc(c.TrustedProxies, func(p netip.Prefix) bool { return p.Bits() == 0 }) {
		warnings = append(warnings, "BITVILLE_TRUSTED_PROXIES holds all addresses, so that every client can pass for another; name those of the proxies alone")
	}
	return warnings, problems
}

// clear makes a setting that is wrong empty, where it is one that names something to be looked at.
func (c *Config) clear(name string) {
	eachField(func(field reflect.StructField, known string) {
		if kind := field.Type.Kind(); known == name && (kind == reflect.String || kind == reflect.Slice) {
			reflect.ValueOf(c).Elem().FieldByIndex(field.Index).SetZero()
		}
	})
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
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("must hold nothing but the server's address; a token is set with BITVILLE_DB_AUTH_TOKEN")
	}
	return nil
}

// completeACME brings the ACME settings into their form, and warns of those that do nothing, which are not judged.
func (c *Config) completeACME(set map[string]string) (warnings []string) {
	if len(c.ACMEDomains) == 0 {
		for _, name := range []string{"BITVILLE_ACME_EMAIL", "BITVILLE_ACME_DIRECTORY_URL", "BITVILLE_ACME_CACHE_DIR"} {
			if set[name] != "" {
				delete(set, name)
				warnings = append(warnings, name+" does nothing without BITVILLE_ACME_DOMAINS")
			}
		}
		return warnings
	}
	var domains []string
	for _, domain := range c.ACMEDomains {
		if domain = strings.ToLower(strings.TrimSpace(domain)); !slices.Contains(domains, domain) {
			domains = append(domains, domain)
		}
	}
	c.ACMEDomains = domains
	if c.ACMECacheDir == "" {
		c.ACMECacheDir = filepath.Join(filepath.Dir(c.DBPath), "acme")
	}
	if _, port, _ := net.SplitHostPort(c.ListenAddr); port != "443" {
		warnings = append(warnings, "BITVILLE_ACME_DOMAINS: the authority asks at port 443; set BITVILLE_LISTEN_ADDR=:443, or have that port forwarded to this one")
	}
	return warnings
}

// isDomain tells whether a name is one that an authority can check: a DNS name in lower-case ASCII, of two labels or
// more, so that it is no machine's short name. The last label is not a number, so that it is no address.
func isDomain(name string) bool {
	labels := strings.Split(name, ".")
	for _, label := range labels {
		odd := func(r rune) bool { return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') }
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || strings.ContainsFunc(label, odd) {
			return false
		}
	}
	last := labels[len(labels)-1]
	return len(labels) > 1 && len(name) <= 253 && strings.Trim(last, "0123456789") != ""
}

func isEmail(text string) bool {
	addr, err := mail.ParseAddress(text)
	return err == nil && addr.Address == text
}

func isHTTPS(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "https" && u.Hostname() != ""
}

// isAddress tells whether a text is host:port as net.Listen takes it. A port by name is not, for what that means
// hangs on the machine.
func isAddress(text string) bool {
	host, port, err := net.SplitHostPort(text)
	_, portErr := strconv.ParseUint(port, 10, 16)
	_, ipErr := netip.ParseAddr(host)
	odd := func(r rune) bool {
		return !strings.ContainsRune("-._", r) && (r < '0' || r > '9') && (r|' ' < 'a' || r|' ' > 'z')
	}
	return err == nil && portErr == nil && (ipErr == nil || !strings.ContainsFunc(host, odd))
}

func isLoopback(address string) bool {
	host, _, _ := net.SplitHostPort(address)
	ip, _ := netip.ParseAddr(host)
	return host == "localhost" || ip.IsLoopback()
}

// collide tells whether two addresses cannot both be listened on. Port 0 is another one each time.
func collide(a, b string) bool {
	hostA, portA, _ := net.SplitHostPort(a)
	hostB, portB, _ := net.SplitHostPort(b)
	all := func(host string) bool {
		ip, _ := netip.ParseAddr(host)
		return host == "" || ip.IsUnspecified()
	}
	return portA == portB && portA != "0" && (hostA == hostB || all(hostA) || all(hostB))
}
