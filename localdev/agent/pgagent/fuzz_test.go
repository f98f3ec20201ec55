package pgagent

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/bitville/listener/localdev/agent/pglog"
	"github.com/bitville/listener/localdev/agent/tail"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/wire/bitville"
)

// FuzzRecord: whatever a log says, the record is one that the listener takes, and redacted it holds no literal.
func FuzzRecord(f *testing.F) {
	f.Add(planOf("0.1", byA+"SELECT 1"), "", "", "", uint16(7))
	f.Add("duration: 1.500 ms  execute p: SELECT $1", "parameters: $1 = 'x'", "", "c", uint16(0))
	f.Add("division by zero \"x", "", "SELECT 1/0 \x00\xff", "at RAISE", uint16(1))
	f.Add("duration: 99999999999999999999999.1 ms  plan:\n{\"Query Text\": \"\\u00", "", "", "", uint16(1))
	f.Add("duration: 1.0 ms  plan:\n{}", "", "", "", uint16(1))
	f.Add("duration: 1.0 ms  plan:\nQuery Text: SELECT 'planted'\nResult  (cost=0.00)", "", "", "", uint16(1))
	f.Fuzz(func(t *testing.T, message, detail, failed, context string, line uint16) {
		e := pglog.Entry{Time: now.Add(-time.Hour), Session: "6b.1", Line: "1", Severity: "ERROR", Message: message, Detail: detail, Statement: failed, Context: context, QueryID: "-1"}
		if line == 0 {
			e.Line = ""
		}
		x := read(tail.Item{Entry: e, Offset: int64(line)})
		if x.kind == none {
			return
		}
		for _, redact := range []bool{false, true} {
			text := x.record("shop", redact)
			if !json.Valid(text) {
				t.Fatalf("%q", text)
			}
			source := record.Source{ID: "postgres_agent", NameField: "query", MaxNameBytes: 64 << 10}
			batch, err := bitville.Wire{Source: source}.Decode(text, bitville.JSON, record.Rules{Project: "shop", Now: now, Retention: 1e6 * time.Hour}, func(int64) error { return nil })
			if err != nil {
				t.Fatalf("%q: %v", text, err)
			}
			for _, r := range batch.Rejected {
				t.Fatalf("%q: %v", text, r.Details)
			}
		}
		e.Message = planOf("0.1", "SELECT '"+strings.ReplaceAll(detail, "'", "''")+"planted'")
		if text := read(tail.Item{Entry: e}).record("shop", true); strings.Contains(string(text), "planted") && !strings.Contains(failed+context, "planted") {
			t.Fatalf("%q", text)
		}
	})
}
