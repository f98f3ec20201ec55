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

// files is a certificate and its key in two files, which an operator may replace.
type files struct {
	entry
	certPath, keyPath string
	task              string // the beginning of each error
	every             time.Duration

	reading sync.Mutex        // guards seen and judged
	seen    [sha256.Size]byte // digest of what the last look found
	judged  [sha256.Size]byte // digest of what was last accepted or refused
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

// run reads the files at each look and compares their contents. So it sees a change by a rename, by a symbolic link that points
// elsewhere, and by a write that keeps the file's times.
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

// look judges a pair once two looks in a row have found the same: a single look may read a pair that is half written. It
// judges no pair twice, so that a pair that stays broken is one line in the log.
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

// read returns the pair or the reason why it cannot be used, and a digest of either.
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

// readFile reads a file. Its error names the missing permission.
// The pair is read again and again, which a pipe does not stand; one that nobody writes would be waited for.
func readFile(path string) ([]byte, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file: name one that holds a PEM", path)
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrPermission) {
		if why := access.Read(path); why != nil {
			return nil, why
		}
	}
	return data, err
}

// pair checks that the key belongs to the certificate, and that a new certificate is valid now.
func (f *files) pair(certPEM, keyPEM []byte) (*tls.Certificate, error) {
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, err
	}
	served := f.served.Load()
	if served == nil || bytes.Equal(served.Certificate[0], cert.Certificate[0]) {
		return &cert, nil // there is no better certificate
	}
	switch now := f.now(); {
	case now.After(cert.Leaf.NotAfter):
		return nil, fmt.Errorf("it expired on %s", cert.Leaf.NotAfter.Format(time.RFC3339))
	case now.Before(cert.Leaf.NotBefore):
		return nil, fmt.Errorf("it is not valid before %s", cert.Leaf.NotBefore.Format(time.RFC3339))
	}
	return &cert, nil
}
