package postgresagent

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/postgrestest"
)

const (
	idA = "3f2c8a5e-9d4b-4c1f-a6e0-b7d2c3e4f501"
	byA = "/*correlation_id='" + idA + "'*/ "
)

// TestFormats: a live server's statements arrive, the same whatever format the log has.
func TestFormats(t *testing.T) {
	postgrestest.Require(t)
	const prefix = "%m [%p] %c %l %Q %q%u@%d/%a "
	var first [][]string
	for _, format := range []string{"jsonlog", "csvlog", "stderr"} {
		t.Run(format, func(t *testing.T) {
			pg := postgrestest.Start(t, fmt.Sprintf("log_destination = %s\nlog_line_prefix = '%s'\nauto_explain.log_min_duration = 0", format, prefix))
			pg.SQL(t, "CREATE FUNCTION twice(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT sum(x) FROM generate_series(1, n) x); END $$")
			l := startListener(t)
			l.StartAgent(t, "postgres", "--log", pg.Dir, "--format", format)
			for range 20 {
				pg.SQL(t, byA+"SELECT 1; "+byA+"SELECT twice(3)")
			}
			pg.SQL(t, "SELECT 'é' /* without an id */")
			rows := stored(t, l, 61, "name, attributes ->> 'nested', attributes ->> 'correlation', attributes ->> 'user', attributes ->> 'database', attributes ->> 'query_id', length(payload) > 100, duration_ms > 0, correlation_id = '"+idA+"'")
			if first == nil {
				first = rows
			}
			require.ElementsMatch(t, first, rows)
		})
	}
}
