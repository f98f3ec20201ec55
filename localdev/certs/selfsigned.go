package certs

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// selfSignedFor is how long a self-signed certificate is valid. Agents trust the file itself, so a new certificate would cut
// them off.
const selfSignedFor = 10 * 365 * 24 * time.Hour

// findSelfSigned sets the paths of the pair in a folder, and reports whether both files are missing.
func (f *files) findSelfSigned(dir string) (missing bool, err error) {
	certPath, err := filepath.Abs(filepath.Join(dir, "cert.pem"))
	if err != nil {
		return false, fmt.Errorf("find the self-signed certificate: %w", err)
	}
	f.name, f.certPath, f.keyPath = certPath, certPath, filepath.Join(filepath.Dir(certPath), "key.pem")
	f.task = fmt.Sprintf("load the self-signed certificate (remove %s and %s, and the listener makes new ones)", f.certPath, f.keyPath)
	_, certErr := os.Stat(f.certPath)
	_, keyErr := os.Stat(f.keyPath)
	return errors.Is(certErr, fs.ErrNotExist) && errors.Is(keyErr, fs.ErrNotExist), nil
}

// selfSign sets the paths of the pair in a folder, and makes the pair when both files are missing.
func (f *files) selfSign(dir string) error {
	missing, err := f.findSelfSigned(dir)
	if err != nil || !missing {
		return err
	}
	if err := f.write(); err != nil {
		return fmt.Errorf("make a self-signed certificate: %w", err)
	}
	f.log.Info("made a self-signed certificate", "certificate", f.certPath)
	return nil
}

// tellTrust logs how agents trust the certificate. It logs nothing for a certificate that an authority signed.
func (f *files) tellTrust(cert *x509.Certificate) {
	if bytes.Equal(cert.RawIssuer, cert.RawSubject) {
		f.log.Info("the certificate is self-signed: give agents this file to trust", "certificate", f.certPath,
			"good_for", fmt.Sprint(cert.DNSNames, cert.IPAddresses),
			"php_curl", fmt.Sprintf("CURLOPT_CAINFO => '%s'", f.certPath), "guzzle", fmt.Sprintf("'verify' => '%s'", f.certPath))
	}
}

// ownNames returns the names and addresses by which agents may reach this machine, as far as it knows them.
func ownNames() (names []string, addresses []net.IP) {
	names = []string{"localhost"}
	if host, err := os.Hostname(); err == nil && host != "localhost" {
		names = append(names, host)
	}
	addresses = []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	own, _ := net.InterfaceAddrs() // without them the certificate serves agents on this machine
	for _, addr := range own {
		if network, ok := addr.(*net.IPNet); ok && network.IP.IsGlobalUnicast() {
			addresses = append(addresses, network.IP)
		}
	}
	return names, addresses
}

// write makes the pair.
func (f *files) write() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	names, addresses := ownNames()
	now := f.now()
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "Bitville listener, self-signed"},
		NotBefore:             now.Add(-time.Hour), // an agent's clock may be behind
		NotAfter:              now.Add(selfSignedFor),
		DNSNames:              names,
		IPAddresses:           addresses,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA:                  true, // some TLS libraries accept only a CA as a root
		BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.WriteFile(f.keyPath, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600); err != nil {
		return err
	}
	return os.WriteFile(f.certPath, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o644)
}
