package certs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/bitville/listener/shared/access"
)

// Check returns the error that Open would return to the user of this process. It makes nothing. ended is when the certificate
// in the files expired; it is zero when the certificate is valid and when there is none yet.
func Check(cfg Config) (ended time.Time, err error) {
	if len(cfg.ACME.Domains) > 0 {
		if err := checkCache(cfg.ACME.CacheDir); err != nil {
			return ended, fmt.Errorf("open the ACME cache (BITVILLE_ACME_CACHE_DIR): %w", err)
		}
		return ended, nil
	}
	f := newFiles(cfg)
	if cfg.CertPath == "" {
		missing, err := f.findSelfSigned(cfg.SelfSignedDir)
		if err != nil {
			return ended, err
		}
		if missing {
			if err := access.MakeIn(filepath.Dir(f.certPath)); err != nil {
				return ended, fmt.Errorf("make a self-signed certificate: %w", err)
			}
			return ended, nil
		}
	}
	cert, _, err := f.read()
	if err != nil {
		return ended, err
	}
	if end := cert.Leaf.NotAfter; cfg.Now().After(end) {
		ended = end
	}
	return ended, nil
}

// checkCache returns why the folder of the cache cannot be used or made.
func checkCache(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	info, err := os.Stat(dir)
	if err == nil {
		return errors.Join(forEverybody(dir, info), access.MakeIn(dir))
	}
	for errors.Is(err, fs.ErrNotExist) && dir != filepath.Dir(dir) { // Open makes the missing folders
		dir = filepath.Dir(dir)
		_, err = os.Stat(dir)
	}
	return access.MakeIn(dir)
}
