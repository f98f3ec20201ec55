// Package certs keeps the certificates that the listener shows: from files, self-signed, or by ACME. A new one is
// taken while connections go on, each handshake gets the one that is in force, and a bad one never replaces
// a good one.
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

// Config says where the certificates come from: from ACME when it names domains, else from the files when they
// are named, else from SelfSignedDir.
type Config struct {
	CertPath, KeyPath string // PEM; the chain, leaf first, and its key
	SelfSignedDir     string // where cert.pem and key.pem stand, which are made when both are missing
	ACME              ACME
	Log               *slog.Logger
	Now               func() time.Time
	Every             time.Duration // between looks for a change; 5 s when it is 0
}

// ACME says which certificates to get from which authority.
type ACME struct {
	Domains      []string     // ASCII names; a client that asks for none of them is shown the first
	Email        string       // whom the authority may write to; may be empty
	DirectoryURL string       // Let's Encrypt's when it is empty
	CacheDir     string       // keeps the account and the certificates; only the owner may enter
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

// Open reads or makes the certificates. ACME's are taken from its cache; those that are missing come with Run,
// and until then handshakes fail. A certificate that has expired is shown all the same, with a warning.
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

// Run looks for changed files, or gets certificates by ACME and keeps them renewed, and warns of those that end
// soon, until ctx ends. It is called once, when the listener listens, for that is where the authority asks.
func (s *Source) Run(ctx context.Context) { s.kind.run(ctx) }

// Reload reads the files at once, for a SIGHUP. When they cannot be used, the pair in force stays; the error is in
// the log too. ACME's certificates need no reload.
func (s *Source) Reload() error { return s.kind.reload() }

// TLSConfig returns the settings of the listener's TLS.
func (s *Source) TLSConfig() *tls.Config {
	return &tls.Config{
		GetCertificate: s.kind.certificate,
		MinVersion:     tls.VersionTLS12,
		NextProtos:     s.protos,
		// A client that writes and closes without reading would turn unread tickets into a reset and lose its
		// request; and PHP's streams wait 44 ms for them on each new connection.
		SessionTicketsDisabled: true,
	}
}

// Status is what an operator watches.
type Status struct {
	Path     string    // the certificate's file, or ACME's cache
	NotAfter time.Time // when the first of the certificates ends; zero while there is none
	Reloads  uint64    // certificates taken since the start
	Failures uint64    // those that could not be used, and tries to get one that failed
	Err      string    // why the last one failed; empty when all is well
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
