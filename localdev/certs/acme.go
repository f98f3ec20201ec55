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

// Pauses after failures. Authorities limit tries: Let's Encrypt allows five failures an hour for a name. The first pause
// must be longer than a minute, since autocert remembers a failure for a minute.
const (
	firstPause = 2 * time.Minute
	lastPause  = time.Hour
	longest    = 24 * time.Hour // the longest pause, even when the authority asks for more
)

// authority gets certificates for domains by ACME. The authority's challenges come to the listener's own port (TLS-ALPN-01).
//
// It uses autocert, which needs only golang.org/x/crypto; certmagic needs zap, libdns and a DNS library. autocert renews a
// certificate when a third of its life is left, or 30 days if that is less, so short-lived certificates are renewed in
// time too. By itself autocert gets missing certificates during a handshake, and a second one under RSA for a client that
// asks for it. Here only Run gets certificates: a client must not make the listener call the authority.
type authority struct {
	domains []*domain
	every   time.Duration
}

// domain is a name and its certificate. Each has its own manager, so that failures of two domains are told apart.
type domain struct {
	entry
	manager   *autocert.Manager
	transport *transport
	account   *sync.Mutex // shared by all domains: the first to hold it makes the account that all use
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
	failures := &transport{next: cmp.Or(client.Transport, http.DefaultTransport)}
	client.Transport = failures
	inHand := func(leaf *x509.Certificate) bool { return cfg.Now().Before(renewed(leaf)) }
	return &domain{
		entry:     entry{name: name, log: cfg.Log, now: cfg.Now, inHand: inHand},
		transport: failures,
		manager: &autocert.Manager{
			Prompt:     autocert.AcceptTOS,
			Email:      cfg.ACME.Email,
			Cache:      cache{autocert.DirCache(cfg.ACME.CacheDir), cfg.Log, failures},
			HostPolicy: autocert.HostWhitelist(name),
			Client: &acme.Client{
				DirectoryURL: cmp.Or(cfg.ACME.DirectoryURL, autocert.DefaultACMEDirectory),
				HTTPClient:   &client,
				RetryBackoff: quickRetries,
			},
		},
	}
}

// quickRetries serves stale nonces and short hiccups. A fault that lasts longer is a failure, after which Run pauses.
func quickRetries(n int, _ *http.Request, resp *http.Response) time.Duration {
	if n > 4 || resp.StatusCode == http.StatusTooManyRequests {
		return -1
	}
	return 200 * time.Millisecond << n
}

// cached returns the certificate that an earlier process got; nil when there is none. An expired certificate is better than
// none: clients then report what is wrong.
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

// certificate returns the certificate of the domain that the client names. When the client names no domain, as one that
// connects by address does, or an unknown one, it returns the first certificate. It answers the authority's challenges.
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

// keep gets the certificate, puts each renewal in force, and logs failures of both, until ctx ends.
func (d *domain) keep(ctx context.Context, every time.Duration) {
	d.transport.run = ctx
	var pause time.Duration // grows with failures in a row
	told := d.now()         // when a late renewal was last logged; autocert gets time to try first
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
			d.fail(d.transport.explain(fmt.Errorf("get a certificate for %s (BITVILLE_ACME_DOMAINS; the authority must reach this listener at port 443 of it): %w", d.name, err)),
				"next_try", wait.String())
		case d.now().After(renewed(cert.Leaf)): // autocert tries again every 30 to 60 minutes, and reports nothing
			if d.now().Sub(told) >= lastPause {
				told = d.now()
				d.fail(d.transport.explain(fmt.Errorf("the certificate of %s should have been renewed by %s", d.name, renewed(cert.Leaf).Format(time.RFC3339))))
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

// get returns the certificate that autocert has cached or renewed, or gets one from the authority.
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
		d.transport.forget()
	}
	return cert, nil
}

// renewed returns when a renewal is late. autocert begins when a third of the life is left, or 30 days if that is less, or up
// to an hour later. It then gets time for a few tries.
func renewed(leaf *x509.Certificate) time.Time {
	left := min(leaf.NotAfter.Sub(leaf.NotBefore)/3, 30*24*time.Hour)
	return leaf.NotAfter.Add(min(left/5, 3*time.Hour) - left)
}
