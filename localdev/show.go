package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/sqlite"
)

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

// show prints what is stored under a correlation id: the PHP request and the statements that it ran. It
// needs BITVILLE_DB_PATH alone, so that it runs where the listener's keys are not.
func show(ctx context.Context, id string, environ []string, w io.Writer) error {
	id, ok := record.CorrelationID(id)
	if !ok {
		return errors.New("show takes a correlation id: a UUID, or 32 hexadecimal digits")
	}
	const name = "BITVILLE_DB_PATH="
	i := slices.IndexFunc(environ, func(v string) bool { return strings.HasPrefix(v, name) && v != name })
	if i < 0 {
		return errors.New("BITVILLE_DB_PATH is not set: name the database file")
	}
	path := environ[i][len(name):]
	reader, err := sqlite.OpenReader(ctx, path)
	if err != nil {
		return fmt.Errorf("open the database %s (BITVILLE_DB_PATH): %w", path, err)
	}
	defer reader.Close()
	entries, err := reader.ByCorrelationID(ctx, id)
	if err != nil {
		return fmt.Errorf("read the database %s (BITVILLE_DB_PATH): %w", path, err)
	}
	if len(entries) == 0 {
		return fmt.Errorf("nothing is stored under %s", id)
	}
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	for _, e := range entries {
		if err := out.Encode(show1(e)); err != nil {
			return fmt.Errorf("print: %w", err)
		}
	}
	return nil
}

func show1(e store.Entry) shown {
	return shown{e.CorrelationID, e.Project, e.Source, e.Timestamp.UTC(), e.DurationMS, e.Name, json.RawMessage(e.Attributes), json.RawMessage(e.Payload)}
}
