package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/bitville/listener/shared/config"
	"github.com/bitville/listener/shared/store/sqlite"
)

// check tells whether the listener would start with the settings, which are right if it is called at all. It
// makes and changes nothing, so that it may run beside a listener; whether addresses are free it cannot tell.
func check(ctx context.Context, cfg config.Config, log *slog.Logger, stdout io.Writer) error {
	if cfg.TLSCertPath != "" {
		if _, err := openCertificates(ctx, cfg, log); err != nil { // of files it only reads
			return err
		}
	}
	if cfg.DBPath != "" {
		if err := sqlite.Check(ctx, cfg.DBPath); err != nil {
			return cannotOpen(cfg.DBPath, err)
		}
	}
	_, err := fmt.Fprintln(stdout, "all is right")
	return err
}
