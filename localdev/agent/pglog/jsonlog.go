package pglog

import (
	"bytes"
	"encoding/json"
)

// jsonlog has one JSON object a line.
type jsonlog struct{}

func (jsonlog) Next(b []byte, final bool) int { return lineEnd(b, final) }

func (jsonlog) Parse(raw []byte) (Entry, error) {
	var line struct {
		Timestamp   string
		User        string
		Database    string      `json:"dbname"`
		Session     string      `json:"session_id"`
		Line        json.Number `json:"line_num"`
		Transaction string      `json:"vxid"`
		Command     string      `json:"ps"`
		Severity    string      `json:"error_severity"`
		State       string      `json:"state_code"`
		Message     string
		Detail      string
		Context     string
		Statement   string
		Application string      `json:"application_name"`
		QueryID     json.Number `json:"query_id"`
	}
	raw = bytes.TrimSpace(raw)
	if err := json.Unmarshal(raw, &line); err != nil && json.Unmarshal(closed(raw), &line) != nil {
		return Entry{}, ErrNoEntry
	}
	at, err := stamp(line.Timestamp)
	if err != nil {
		return Entry{}, err
	}
	return Entry{
		Time: at, User: line.User, Database: line.Database, Application: line.Application, Session: line.Session, Line: line.Line.String(),
		Transaction: line.Transaction, Command: line.Command, Severity: line.Severity, State: line.State, Message: line.Message, Detail: line.Detail,
		Context: line.Context, Statement: line.Statement, QueryID: queryID(line.QueryID.String()),
	}, nil
}

// closed ends a line that was cut off inside of a string, as streams with a longest line do.
func closed(raw []byte) []byte {
	if len(raw) == 0 || raw[0] != '{' {
		return nil
	}
	for cut := range 7 { // the longest escape is half of \uXXXX
		if len(raw) <= cut {
			break
		}
		whole := append(bytes.Clone(raw[:len(raw)-cut]), `"}`...)
		if json.Valid(whole) {
			return whole
		}
	}
	return nil
}
