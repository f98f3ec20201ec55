package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/bitville/listener/shared/config"
)

// selfSignedFor is how long a self-signed certificate is valid: agents hold the file, so that a new one
// would cut them off.
const selfSignedFor = 10 * 365 * 24 * time.Hour

// certificate loads the configured pair, or the self-signed one beside the database, which is made when
// missing. path is where the certificate stands.
func certificate(cfg config.Config, log *slog.Logger) (cert tls.Certificate, path string, err error) {
	if cfg.TLSCertPath != "" {
		cert, err = tls.LoadX509KeyPair(cfg.TLSCertPath, cfg.TLSKeyPath)
		if err != nil {
			return cert, "", fmt.Errorf("load the certificate (BITVILLE_TLS_CERT_PATH, BITVILLE_TLS_KEY_PATH): %w", err)
		}
		return cert, cfg.TLSCertPath, nil
	}
	path, err = filepath.Abs(filepath.Join(filepath.Dir(cfg.DBPath), "cert.pem"))
	if err != nil {
		return cert, "", fmt.Errorf("find the self-signed certificate: %w", err)
	}
	keyPath := filepath.Join(filepath.Dir(path), "key.pem")
	_, certErr := os.Stat(path)
	_, keyErr := os.Stat(keyPath)
	if errors.Is(certErr, fs.ErrNotExist) && errors.Is(keyErr, fs.ErrNotExist) {
		if err := writeSelfSigned(path, keyPath); err != nil {
			return cert, "", fmt.Errorf("make a self-signed certificate: %w", err)
		}
		log.Info("made a self-signed certificate: agents trust it by this file", "certificate", path)
	}
	cert, err = tls.LoadX509KeyPair(path, keyPath)
	if err != nil {
		return cert, "", fmt.Errorf("load the self-signed certificate (remove %s and %s to have them made anew): %w", path, keyPath, err)
	}
	return cert, path, nil
}

func writeSelfSigned(certPath, keyPath string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return err
	}
	names := []string{"localhost"}
	if host, err := os.Hostname(); err == nil && host != "localhost" {
		names = append(names, host)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "Bitville listener, self-signed"},
		NotBefore:             now.Add(-time.Hour), // an agent's clock may be behind
		NotAfter:              now.Add(selfSignedFor),
		DNSNames:              names,
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		IsCA:                  true, // so that every TLS library takes it as a root
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
	if err := os.WriteFile(keyPath, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600); err != nil {
		return err
	}
	return os.WriteFile(certPath, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o644)
}
