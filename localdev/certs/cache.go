package certs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"golang.org/x/crypto/acme/autocert"
)

// cache keeps the account's key, and the certificates with their keys, in files of mode 0600.
type cache struct {
	autocert.DirCache
	log       *slog.Logger
	transport *transport
}

// Put logs a failed write; autocert does not. The next process would ask the authority again, and authorities limit that.
func (c cache) Put(ctx context.Context, name string, data []byte) error {
	err := c.DirCache.Put(ctx, name, data)
	if err != nil {
		c.transport.note(err.Error())
		c.log.Error("the ACME cache cannot be written (BITVILLE_ACME_CACHE_DIR)", "error", err)
	}
	return err
}

// openCache makes the folder with mode 0700. When the folder exists, openCache takes away what other users may do there. It
// writes a probe file, so that a folder that cannot be written is an error at start.
func openCache(dir string, domains []string, log *slog.Logger) error {
	if err := checkCache(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := tighten(dir, 0o700, log); err != nil {
		return err
	}
	for _, name := range append([]string{"acme_account+key"}, domains...) {
		if err := tighten(filepath.Join(dir, name), 0o600, log); err != nil {
			return err
		}
	}
	probe, err := os.CreateTemp(dir, "probe")
	if err != nil {
		return err
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

func forEverybody(dir string, info fs.FileInfo) error {
	if info.Mode()&fs.ModeSticky != 0 {
		return fmt.Errorf("%s is a folder for all users: name a folder that only ACME uses", dir)
	}
	return nil
}

// tighten removes the permissions that go beyond mode.
func tighten(path string, mode fs.FileMode, log *slog.Logger) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || info.Mode().Perm()&^mode == 0 {
		return err
	}
	log.Warn("other users could read the ACME cache, which holds keys: its mode was changed", "path", path, "was", info.Mode().Perm().String(), "now", mode.String())
	return os.Chmod(path, mode)
}
