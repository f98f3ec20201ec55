package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/bitville/listener/shared/config"
	"github.com/bitville/listener/shared/store/sqlite"
)

// check tells whether the listener would start with the settings, which are right if it is called at all. It
// makes and changes nothing, so that it may run beside a listener; whether addresses are free it cannot tell. It
// reads files as the user that runs it.
func check(ctx context.Context, cfg config.Config, log *slog.Logger, stdout io.Writer) error {
	if cfg.TLSCertPath != "" {
		source, err := openCertificates(ctx, cfg, log) // of files it only reads
		if err != nil {
			return err
		}
		if end := source.Status().NotAfter; time.Now().After(end) {
			return fmt.Errorf("the certificate %s (BITVILLE_TLS_CERT_PATH) ended on %s; renew it", cfg.TLSCertPath, end.Format(time.DateOnly))
		}
	}
	if cfg.DBURL != "" {
		db, err := openServer(cfg)
		if err != nil {
			return err
		}
		defer db.Close()
		if err := db.Reach(ctx); err != nil {
			return fmt.Errorf("ask the database server (BITVILLE_DB_URL): %w", err)
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
