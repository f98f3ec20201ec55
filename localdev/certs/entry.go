package certs

import (
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// warnBelow is the remaining life of a certificate below which the log warns.
const warnBelow = 14 * 24 * time.Hour

// entry is one certificate in force, and the results of the tries to replace it.
type entry struct {
	name string // the file or the domain, for the log
	log  *slog.Logger
	now  func() time.Time
	// inHand reports that a certificate which ends soon will be replaced automatically. nil: no certificate is.
	inHand func(leaf *x509.Certificate) bool

	served atomic.Pointer[tls.Certificate]
	warned time.Time

	mu                sync.Mutex // guards what follows
	reloads, failures uint64
	err               error // of the last try; nil when it succeeded
}

// take puts a new certificate in force.
func (e *entry) take(cert *tls.Certificate) {
	e.served.Store(cert)
	e.update(func() { e.reloads++; e.err = nil })
	e.log.Info("certificate in force", "certificate", e.name, "not_after", cert.Leaf.NotAfter)
}

// fail keeps and logs the reason why there is no new certificate.
func (e *entry) fail(err error, attrs ...any) {
	e.update(func() { e.failures++; e.err = err })
	message := "no new certificate: the old one stays in force"
	if e.served.Load() == nil {
		message = "no certificate: handshakes fail"
	}
	e.log.Error(message, append([]any{"certificate", e.name, "error", err}, attrs...)...)
}

func (e *entry) update(change func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change()
}

// warn logs a certificate that ends soon, once a day.
func (e *entry) warn() {
	cert := e.served.Load()
	if cert == nil || e.now().Sub(e.warned) < 24*time.Hour {
		return
	}
	left := cert.Leaf.NotAfter.Sub(e.now())
	if left >= warnBelow || e.inHand != nil && e.inHand(cert.Leaf) {
		return
	}
	e.warned = e.now()
	message := "the certificate ends soon"
	if left <= 0 {
		message = "the certificate has expired: clients refuse it"
	}
	e.log.Warn(message, "certificate", e.name, "not_after", cert.Leaf.NotAfter, "days_left", int(left.Hours()/24))
}
