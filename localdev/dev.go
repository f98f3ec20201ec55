package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/config"
)

// devDir holds what `listener dev` makes and keeps between runs; git ignores it.
const devDir = ".dev"

type devCommand struct{}

// Run runs the command.
func (devCommand) Run(p program) (err error) {
	if p.environ, err = setUpDev(p.environ); err != nil {
		return fmt.Errorf("set up %s: %w", devDir, err)
	}
	cfg, log, err := prepare(p, true)
	if err != nil {
		return err
	}
	return serve(p.ctx, cfg, log, func(s served) {
		if err := greet(p.stdout, cfg, s); err != nil {
			log.Warn("how to post a record cannot be printed", "error", err)
		}
	})
}

// setUpDev makes what is missing, the folder, both keys and the id of the record that greet prints, and returns the environment with what it lacks.
func setUpDev(environ []string) ([]string, error) {
	if err := os.MkdirAll(devDir, 0o700); err != nil {
		return nil, err
	}
	key, err := kept("api-key", rand.Text)
	if err != nil {
		return nil, err
	}
	readKey, err := kept("read-key", rand.Text)
	if err != nil {
		return nil, err
	}
	if _, err := kept("record-id", newUUID); err != nil {
		return nil, err
	}
	has := func(prefix string) bool { // an empty variable counts as not set
		return slices.ContainsFunc(environ, func(v string) bool { return strings.HasPrefix(v, prefix) && !strings.HasSuffix(v, "=") })
	}
	if !has("BITVILLE_API_KEY") {
		environ = append(environ, "BITVILLE_API_KEY_SHOP="+key)
	}
	if !has("BITVILLE_READ_KEY_") && !has("BITVILLE_READ_KEYS") && !has("BITVILLE_DB_URL=") {
		environ = append(environ, `BITVILLE_READ_KEYS={"*":"`+readKey+`"}`)
	}
	if !has("BITVILLE_DB_PATH=") && !has("BITVILLE_DB_URL=") {
		environ = append(environ, "BITVILLE_DB_PATH="+filepath.Join(devDir, "bitville.db"))
	}
	return environ, nil
}

// kept reads a file of devDir, which is made when it is missing.
func kept(name string, make func() string) (string, error) {
	path := filepath.Join(devDir, name)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		data = []byte(make())
		err = os.WriteFile(path, data, 0o600)
	}
	return strings.TrimSpace(string(data)), err
}

// greet prints a command that posts a record, and where to see it.
func greet(w io.Writer, cfg config.Config, s served) error {
	_, port, err := net.SplitHostPort(s.addr.String())
	if err != nil {
		return err
	}
	key := cfg.Keys[0]
	id, err := kept("record-id", newUUID) // the README's commands name it too
	if err != nil {
		return fmt.Errorf("read the record's id: %w", err)
	}
	db, setting := cfg.DBURL, "BITVILLE_DB_URL"
	if cfg.DBPath != "" {
		setting = "BITVILLE_DB_PATH"
		if db, err = filepath.Abs(cfg.DBPath); err != nil {
			db = cfg.DBPath
		}
	}
	program, err := os.Executable()
	if err != nil {
		program = os.Args[0]
	}
	record := fmt.Sprintf(`{"project":"%s","correlation_id":"%s","timestamp":'$(date +%%s)',"duration_ms":17.8,"request_uri":"/cart","profiling_data":{"main()==>Cart::total":{"ct":1,"wt":9120}}}`, key.Project, id)
	_, err = fmt.Fprintf(w, `
The listener runs. Post a record from another terminal:

  curl -sS -w '\n' --cacert %s -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' -d '%s' https://localhost:%s/ingest/php

%sThe record as it is stored, in %s:

  %s=%s %s show %s

`, quote(s.certPath), string(key.Secret), record, port, see(cfg, port, id), db, setting, quote(db), quote(program), id)
	return err
}

// see tells where a browser shows the record. The link logs in: whoever reads the terminal may read the database too.
func see(cfg config.Config, port, id string) string {
	i := slices.IndexFunc(cfg.ReadKeys, func(k auth.Key) bool { return k.Project == auth.AllProjects || k.Project == cfg.Keys[0].Project })
	if i < 0 || cfg.DBURL != "" {
		return ""
	}
	return fmt.Sprintf("See what made it slow (the browser warns of the self-signed certificate once):\n\n  https://localhost:%s/traces/%s?key=%s\n\n",
		port, id, url.QueryEscape(string(cfg.ReadKeys[i].Secret)))
}

// newUUID returns a random UUID (version 4).
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// quote makes a path one word of a shell.
func quote(path string) string {
	if strings.ContainsFunc(path, func(r rune) bool {
		return !strings.ContainsRune("/._-+", r) && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}
