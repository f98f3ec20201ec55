package certs

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// Pauses after failures: authorities limit tries, Let's Encrypt to five failed ones an hour for a name. The
// first must be longer than the minute for which autocert remembers a failure.
const (
	firstPause = 2 * time.Minute
	lastPause  = time.Hour
	longest    = 24 * time.Hour // even if the authority asks for more
)

// authority gets the certificates of domains by ACME, whose challenges come to the listener's own port
// (TLS-ALPN-01).
//
// It stands on autocert and not on certmagic: that brings zap, libdns and a DNS library, and this nothing beyond
// golang.org/x/crypto. autocert renews each certificate when a third of its life is left, at most 30
// days, which is right for short-lived ones too. What it would do in a handshake (get a certificate
// that is missing, and another under RSA for a client that asks for it) is done here in Run alone, so that no stranger
// makes the listener talk to the authority.
type authority struct {
	domains []*domain
	every   time.Duration
}

// domain is a name and its certificate. Each has a manager of its own, so that its troubles are told apart.
type domain struct {
	entry
	manager *autocert.Manager
	trouble *trouble
	account *sync.Mutex // of all domains, one at a time: the first makes the account that the others share
}

func openAuthority(ctx context.Context, cfg Config) (*authority, error) {
	var names []string
	for _, name := range cfg.ACME.Domains {
		names = append(names, strings.ToLower(name))
	}
	if err := openCache(cfg.ACME.CacheDir, names, cfg.Log); err != nil {
		return nil, fmt.Errorf("open the ACME cache (BITVILLE_ACME_CACHE_DIR): %w", err)
	}
	a := &authority{every: cfg.Every}
	account := new(sync.Mutex)
	for _, name := range names {
		d := newDomain(name, cfg)
		d.account = account
		if cert := d.cached(ctx); cert != nil {
			d.served.Store(cert)
		}
		a.domains = append(a.domains, d)
	}
	return a, nil
}

func newDomain(name string, cfg Config) *domain {
	client := http.Client{Timeout: 30 * time.Second}
	if cfg.ACME.Client != nil {
		client = *cfg.ACME.Client
	}
	way := &trouble{way: cmp.Or(client.Transport, http.DefaultTransport)}
	client.Transport = way
	inHand := func(leaf *x509.Certificate) bool { return cfg.Now().Before(renewed(leaf)) }
	return &domain{
		entry:   entry{name: name, log: cfg.Log, now: cfg.Now, inHand: inHand},
		trouble: way,
		manager: &autocert.Manager{
			Prompt:     autocert.AcceptTOS,
			Email:      cfg.ACME.Email,
			Cache:      cache{autocert.DirCache(cfg.ACME.CacheDir), cfg.Log, way},
			HostPolicy: autocert.HostWhitelist(name),
			Client: &acme.Client{
				DirectoryURL: cmp.Or(cfg.ACME.DirectoryURL, autocert.DefaultACMEDirectory),
				HTTPClient:   &client,
				RetryBackoff: quickRetries,
			},
		},
	}
}

// quickRetries is for a nonce that has become stale and for a hiccup: what lasts is a failure, and Run's pauses
// are longer.
func quickRetries(n int, _ *http.Request, resp *http.Response) time.Duration {
	if n > 4 || resp.StatusCode == http.StatusTooManyRequests {
		return -1
	}
	return 200 * time.Millisecond << n
}

// cached returns the certificate that an earlier process got, nil when there is none. An expired one is better
// than none: its clients learn what is wrong.
func (d *domain) cached(ctx context.Context) *tls.Certificate {
	pem, err := d.manager.Cache.Get(ctx, d.name)
	if err != nil {
		return nil
	}
	cert, err := tls.X509KeyPair(pem, pem)
	if err != nil || cert.Leaf.VerifyHostname(d.name) != nil {
		return nil
	}
	return &cert
}

// certificate shows a client the certificate of the domain that it names; without a name, as when it connects
// by address, or with another's, the first that there is. It answers the authority's challenges.
func (a *authority) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := strings.ToLower(hello.ServerName)
	challenge := slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto})
	var shown *tls.Certificate
	for _, d := range a.domains {
		if challenge && d.name == name {
			return d.manager.GetCertificate(hello)
		}
		if cert := d.served.Load(); cert != nil && (shown == nil || d.name == name) {
			shown = cert
		}
	}
	if challenge || shown == nil {
		return nil, errors.New("no certificate for this handshake")
	}
	return shown, nil
}

func (a *authority) reload() error { return nil }

func (a *authority) run(ctx context.Context) {
	var domains sync.WaitGroup
	for _, d := range a.domains {
		domains.Go(func() { d.keep(ctx, a.every) })
	}
	domains.Wait()
}

// keep gets the certificate, puts each renewal in force, and says when either fails, until ctx ends.
func (d *domain) keep(ctx context.Context, every time.Duration) {
	d.trouble.run = ctx
	var pause time.Duration // after failures in a row
	told := d.now()         // that a renewal is late; not before autocert has tried
	for {
		wait := every
		cert, err := d.get()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			pause = min(max(2*pause, firstPause), lastPause)
			wait = pause
			if asked, ok := acme.RateLimit(err); ok {
				wait = min(max(asked, pause), longest)
			}
			d.fail(d.trouble.explain(fmt.Errorf("get a certificate for %s (BITVILLE_ACME_DOMAINS; the authority must reach this listener at port 443 of it): %w", d.name, err)),
				"next_try", wait.String())
		case d.now().After(renewed(cert.Leaf)): // autocert tries again every 30 to 60 minutes, and does not say so
			if d.now().Sub(told) >= lastPause {
				told = d.now()
				d.fail(d.trouble.explain(fmt.Errorf("the certificate of %s should have been renewed by %s", d.name, renewed(cert.Leaf).Format(time.RFC3339))))
			}
		default:
			pause = 0
		}
		d.warn()
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// get takes the certificate that autocert has in the cache or has renewed, or else gets one from the authority.
func (d *domain) get() (*tls.Certificate, error) {
	d.account.Lock()
	defer d.account.Unlock()
	cert, err := d.manager.GetCertificate(&tls.ClientHelloInfo{
		ServerName:   d.name,
		CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
	})
	if err != nil {
		return nil, err
	}
	if served := d.served.Load(); served == nil || !bytes.Equal(served.Certificate[0], cert.Certificate[0]) {
		d.take(cert)
		d.trouble.forget()
	}
	return cert, nil
}

// renewed is when a certificate must have been renewed by: autocert begins when the lesser of 30 days and a
// third of the life is left, or up to an hour later, and is given time for a few tries.
func renewed(leaf *x509.Certificate) time.Time {
	left := min(leaf.NotAfter.Sub(leaf.NotBefore)/3, 30*24*time.Hour)
	return leaf.NotAfter.Add(min(left/5, 3*time.Hour) - left)
}
