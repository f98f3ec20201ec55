package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/bitville/listener/shared/config"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/sqlite"
)

type showCommand struct {
	ID string `arg:"" help:"The correlation id: a UUID, or 32 hexadecimal digits."`
}

// Help is what listener show -help says more.
func (showCommand) Help() string { return "It prints the request and its queries, a JSON line each." }

// Run runs the command.
func (c showCommand) Run(p program) error {
	cfg, _, problems := load(config.LoadCommand, p)
	if problems != nil {
		return *problems
	}
	return show(p.ctx, cfg, c.ID, p.stdout)
}

// shown is one stored record as show prints it.
type shown struct {
	CorrelationID string          `json:"correlation_id"`
	Project       string          `json:"project"`
	Source        string          `json:"source"`
	Timestamp     time.Time       `json:"timestamp"`
	DurationMS    *float64        `json:"duration_ms"`
	Name          string          `json:"name"`
	Attributes    json.RawMessage `json:"attributes,omitempty"`
	ProfilingData json.RawMessage `json:"profiling_data"`
}

// show prints what is stored under a correlation id: the PHP request and the statements that it ran.
func show(ctx context.Context, cfg config.Config, id string, w io.Writer) error {
	id, ok := record.CorrelationID(id)
	if !ok {
		return errors.New("show takes a correlation id: a UUID, or 32 hexadecimal digits")
	}
	reader, err := openReader(ctx, cfg)
	if err != nil {
		return err
	}
	defer reader.Close()
	entries, err := reader.ByCorrelationID(ctx, id)
	if err != nil {
		return fmt.Errorf("read the database: %w", err)
	}
	if len(entries) == 0 {
		return fmt.Errorf("nothing is stored under %s", id)
	}
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	for _, e := range entries {
		line := shown{e.CorrelationID, e.Project, e.Source, e.Timestamp.UTC(), e.DurationMS, e.Name, json.RawMessage(e.Attributes), json.RawMessage(e.Payload)}
		if err := out.Encode(line); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	}
	return nil
}

type reader interface {
	store.Reader
	Close() error
}

func openReader(ctx context.Context, cfg config.Config) (reader, error) {
	if cfg.DBURL != "" {
		return openServer(cfg)
	}
	r, err := sqlite.OpenReader(ctx, cfg.DBPath)
	if err != nil {
		return nil, cannotOpen(cfg.DBPath, err)
	}
	return r, nil
}
