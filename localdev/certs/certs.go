// Package certs keeps the certificates that the listener shows: from files, self-signed, or by ACME. A bad certificate never
// replaces a good one. A new certificate comes into force without closing connections; each handshake gets the certificate
// that is in force.
package certs

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/crypto/acme"
)

// Config says where the certificates come from: ACME when ACME.Domains is set, else the files when CertPath is set, else
// SelfSignedDir.
type Config struct {
	CertPath, KeyPath string // PEM; the chain, leaf first, and its key
	SelfSignedDir     string // folder of cert.pem and key.pem; Open makes them when both are missing
	ACME              ACME
	Log               *slog.Logger
	Now               func() time.Time
	Every             time.Duration // time between two looks for a change; 0 means 5 s
}

// ACME says which certificates to get from which authority.
type ACME struct {
	Domains      []string     // ASCII names; a client that names none of them gets the certificate of the first
	Email        string       // the address that the authority may write to; may be empty
	DirectoryURL string       // Let's Encrypt's when it is empty
	CacheDir     string       // folder of the account and the certificates; mode 0700
	Client       *http.Client // for the authority; nil: one with the system's roots
}

// Source shows the certificates that are in force.
type Source struct {
	kind    kind
	path    string
	entries []*entry // at least one
	protos  []string
}

// kind is what differs between certificates from files and from an authority.
type kind interface {
	certificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
	reload() error
	run(ctx context.Context)
}

// Open reads or makes the certificates. ACME certificates come from the cache. Run gets those that the cache lacks; until then
// their handshakes fail. Open accepts an expired certificate, and logs a warning.
func Open(ctx context.Context, cfg Config) (*Source, error) {
	cfg.Every = cmp.Or(cfg.Every, 5*time.Second)
	s := &Source{protos: []string{"h2", "http/1.1", "http/1.0"}} // an old client offers http/1.0 alone
	if len(cfg.ACME.Domains) > 0 {
		a, err := openAuthority(ctx, cfg)
		if err != nil {
			return nil, err
		}
		for _, d := range a.domains {
			s.entries = append(s.entries, &d.entry)
		}
		s.kind, s.path, s.protos = a, cfg.ACME.CacheDir, append(s.protos, acme.ALPNProto)
	} else {
		f, err := openFiles(cfg)
		if err != nil {
			return nil, err
		}
		s.kind, s.path, s.entries = f, f.certPath, []*entry{&f.entry}
	}
	for _, e := range s.entries {
		e.warn()
	}
	return s, nil
}

// Run looks for changed files, or gets and renews certificates by ACME, until ctx ends. It logs certificates that end soon.
// Call it once, when the listener listens: the authority sends its challenges there.
func (s *Source) Run(ctx context.Context) { s.kind.run(ctx) }

// Reload reads the files at once, for a SIGHUP. When the new pair cannot be used, the pair in force stays, and Reload logs
// and returns the error. ACME certificates need no reload.
func (s *Source) Reload() error { return s.kind.reload() }

// TLSConfig returns the settings of the listener's TLS.
func (s *Source) TLSConfig() *tls.Config {
	return &tls.Config{
		GetCertificate: s.kind.certificate,
		MinVersion:     tls.VersionTLS12,
		NextProtos:     s.protos,
		// Unread tickets turn the close of a client that writes and never reads into a reset, and its request is
		// lost. PHP's streams wait 44 ms for tickets on each new connection.
		SessionTicketsDisabled: true,
	}
}

// Status is what an operator watches.
type Status struct {
	Path     string    // the certificate's file, or ACME's cache
	NotAfter time.Time // when the first of the certificates ends; zero while there is none
	Reloads  uint64    // certificates put in force since the start
	Failures uint64    // certificates that could not be used, and failed tries to get one
	Err      string    // the last failure; empty when the last try succeeded
}

// Status sums up all certificates.
func (s *Source) Status() Status {
	status := Status{Path: s.path}
	var problems []error
	for _, e := range s.entries {
		if cert := e.served.Load(); cert != nil && (status.NotAfter.IsZero() || cert.Leaf.NotAfter.Before(status.NotAfter)) {
			status.NotAfter = cert.Leaf.NotAfter
		}
		e.mu.Lock()
		status.Reloads += e.reloads
		status.Failures += e.failures
		problems = append(problems, e.err)
		e.mu.Unlock()
	}
	if err := errors.Join(problems...); err != nil {
		status.Err = err.Error()
	}
	return status
}
