package ship

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/klauspost/compress/gzip"
)

// CheckCA tells why a file of certificates cannot be used.
func CheckCA(path string) error {
	_, err := newClient(path)
	return err
}

// Check asks the listener whether it would take records of one kind of agent, with the key of each project, and tells why not. It
// sends none, and makes no file.
func Check(ctx context.Context, cfg Config, agent string) (problems []error) {
	var s sender
	if err := s.open(cfg); err != nil {
		return []error{err}
	}
	defer s.client.CloseIdleConnections()
	var none bytes.Buffer
	_ = gzip.NewWriter(&none).Close()
	var projects []string
	for _, k := range s.keys {
		projects = append(projects, k.Project)
	}
	for _, project := range slices.Compact(slices.Sorted(slices.Values(projects))) {
		a := s.post(ctx, Stream{agent, project}, none.Bytes())
		switch {
		case a.err != nil:
			return append(problems, fmt.Errorf("the listener (BITVILLE_URL) cannot be reached: %w", a.err))
		case a.status == http.StatusUnauthorized:
			problems = append(problems, fmt.Errorf("the listener does not know the key of the project %s: %s", project, a.words()))
		case a.status != http.StatusOK:
			problems = append(problems, fmt.Errorf("the listener (BITVILLE_URL) answers %d to records of the project %s: %s", a.status, project, a.words()))
		}
	}
	return problems
}
