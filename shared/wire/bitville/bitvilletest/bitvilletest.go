// Package bitvilletest holds the records of other wires against our own: nothing comes in by one that the contract refuses.
package bitvilletest

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/wire/bitville"
	"github.com/bitville/listener/shared/wire/jsonvalue"
)

// RequireTaken writes a record in our own format and expects that it is taken as it is.
func RequireTaken(t testing.TB, rec record.Record, rules record.Rules) {
	t.Helper()
	source := record.PHP
	if rec.Source == record.Postgres.ID {
		source = record.Postgres
	}
	duration := "null"
	if rec.DurationMS != nil {
		duration = strconv.FormatFloat(*rec.DurationMS, 'g', -1, 64)
	}
	var o jsonvalue.Object
	for name, value := range jsonvalue.Value(rec.Attributes).Members() {
		o.Value(name.Text(), value)
	}
	o.Text("project", rec.Project)
	o.Text("correlation_id", rec.CorrelationID)
	o.Value("timestamp", fmt.Appendf(nil, "%d.%06d", rec.Timestamp/1e6, rec.Timestamp%1e6))
	o.Value("duration_ms", []byte(duration))
	o.Text(source.NameField, rec.Name)
	o.Value("profiling_data", rec.Payload)
	sent := o.JSON()
	batch, err := bitville.Wire{Source: source}.Decode(sent, bitville.JSON, rules, nil)
	require.NoError(t, err, "%s", sent)
	require.Empty(t, batch.Rejected, "%s", sent)
	require.Equal(t, []record.Record{rec}, batch.Records, "%s", sent)
}
