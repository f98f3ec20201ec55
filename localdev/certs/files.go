package certs

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/bitville/listener/shared/access"
)

// files is a pair that stands in two files, and that somebody may replace.
type files struct {
	entry
	certPath, keyPath string
	task              string // what an error begins with
	every             time.Duration

	reading sync.Mutex        // one at a time; guards what follows
	seen    [sha256.Size]byte // what the last look found
	judged  [sha256.Size]byte // what was last taken or refused
}

func newFiles(cfg Config) *files {
	return &files{
		entry:    entry{name: cfg.CertPath, log: cfg.Log, now: cfg.Now},
		certPath: cfg.CertPath,
		keyPath:  cfg.KeyPath,
		task:     "load the certificate (BITVILLE_TLS_CERT_PATH, BITVILLE_TLS_KEY_PATH)",
		every:    cfg.Every,
	}
}

func openFiles(cfg Config) (*files, error) {
	f := newFiles(cfg)
	if cfg.CertPath == "" {
		if err := f.selfSign(cfg.SelfSignedDir); err != nil {
			return nil, err
		}
	}
	cert, sum, err := f.read()
	if err != nil {
		return nil, err
	}
	f.served.Store(cert)
	f.judged = sum
	if cfg.CertPath == "" {
		f.tellTrust(cert.Leaf)
	}
	return f, nil
}

func (f *files) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return f.served.Load(), nil
}

// run reads the files at each look: their contents tell of a change whatever way it was made, a rename, a
// symlink that points elsewhere, or a write with the times kept.
func (f *files) run(ctx context.Context) {
	ticks := time.NewTicker(f.every)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			f.look()
			f.warn()
		}
	}
}

// look judges what two looks in a row have found, for a pair that is half written may well be read in
// between. What has been judged is not judged again, so that a pair that stays broken is one line in the log.
func (f *files) look() {
	f.reading.Lock()
	defer f.reading.Unlock()
	cert, sum, err := f.read()
	if sum == f.seen && sum != f.judged {
		_ = f.judge(cert, sum, err) // it is in the log
	}
	f.seen = sum
}

// reload judges what the files hold now.
func (f *files) reload() error {
	f.reading.Lock()
	defer f.reading.Unlock()
	return f.judge(f.read())
}

func (f *files) judge(cert *tls.Certificate, sum [sha256.Size]byte, err error) error {
	f.judged = sum
	if err != nil {
		f.fail(err)
		return err
	}
	f.take(cert)
	return nil
}

// read returns the pair, or why it cannot be used, and a sum of this answer.
func (f *files) read() (cert *tls.Certificate, sum [sha256.Size]byte, err error) {
	certPEM, err := readFile(f.certPath)
	var keyPEM []byte
	if err == nil {
		keyPEM, err = readFile(f.keyPath)
	}
	if bytes.Contains(keyPEM, []byte("ENCRYPTED")) { // PKCS #8's and OpenSSL's own form say so
		err = fmt.Errorf("the key %s has a passphrase: take it off (openssl pkey -in %s -out <new file>)", f.keyPath, f.keyPath)
	}
	if err == nil {
		cert, err = f.pair(certPEM, keyPEM)
	}
	sum = sha256.Sum256(fmt.Appendf(nil, "%q %q %v", certPEM, keyPEM, err))
	if err != nil {
		return nil, sum, fmt.Errorf("%s: %w", f.task, err)
	}
	return cert, sum, nil
}

// readFile reads a file, or tells whose permission lacks.
func readFile(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrPermission) {
		if why := access.Read(path); why != nil {
			return nil, why
		}
	}
	return data, err
}

// pair holds a key against its certificate, and a new certificate against the clock.
func (f *files) pair(certPEM, keyPEM []byte) (*tls.Certificate, error) {
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, err
	}
	served := f.served.Load()
	if served == nil || bytes.Equal(served.Certificate[0], cert.Certificate[0]) {
		return &cert, nil // there is no better one
	}
	switch now := f.now(); {
	case now.After(cert.Leaf.NotAfter):
		return nil, fmt.Errorf("it expired on %s", cert.Leaf.NotAfter.Format(time.RFC3339))
	case now.Before(cert.Leaf.NotBefore):
		return nil, fmt.Errorf("it is not valid before %s", cert.Leaf.NotBefore.Format(time.RFC3339))
	}
	return &cert, nil
}
