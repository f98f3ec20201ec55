package libsql

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
)

const (
	// insertBatch stores the records of a JSON array of arrays. Payloads are JSON strings in it, because a JSON value would
	// come out minified. A digest is a string, because not every JSON reader keeps 64 bits.
	insertBatch = `INSERT INTO profiling_data
		(correlation_id, project, source, timestamp, duration_ms, name, attributes, payload, digest, created_at)
		SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, CAST(value->>8 AS INTEGER), ?2
		FROM json_each(?1) WHERE true ON CONFLICT DO NOTHING RETURNING 1`

	// insertOne stores a record that is too large to travel as JSON within JSON.
	insertOne = `INSERT INTO profiling_data
		(correlation_id, project, source, timestamp, duration_ms, name, attributes, payload, digest, created_at)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING RETURNING 1`

	maxArgument = 2 << 20 // bytes of insertBatch's argument
)

// Insert stores the records and returns once all are committed. One statement takes as many as its argument can hold. An error
// is a *store.Unavailable: some of the records may be stored, and sending all of them again is safe. If a try was cut off
// and repeated, a record that the first try stored counts as a duplicate, so that only the sum of the result is certain.
func (db *DB) Insert(ctx context.Context, records []record.Record) (store.Result, error) {
	var result store.Result
	created := db.now().UnixMicro()
	batch, inBatch := []byte{'['}, 0
	flush := func() error {
		if inBatch == 0 {
			return nil
		}
		stored, err := db.write(ctx, insertBatch, string(append(batch, ']')), created)
		result.Accepted += stored
		result.Duplicates += inBatch - stored
		batch, inBatch = batch[:1], 0
		return err
	}
	var element []byte
	for i := range records {
		r := &records[i]
		element = appendJSON(element[:0], r)
		if len(element) > maxArgument-2 {
			stored, err := db.write(ctx, insertOne, r.CorrelationID, r.Project, r.Source, r.Timestamp, r.DurationMS,
				r.Name, text(r.Attributes), string(r.Payload), r.Digest, created)
			if err != nil {
				return store.Result{}, err
			}
			result.Accepted += stored
			result.Duplicates += 1 - stored
			continue
		}
		if len(batch)+len(element)+2 > maxArgument {
			if err := flush(); err != nil {
				return store.Result{}, err
			}
		}
		if inBatch > 0 {
			batch = append(batch, ',')
		}
		batch = append(batch, element...)
		inBatch++
	}
	if err := flush(); err != nil {
		return store.Result{}, err
	}
	return result, nil
}

// text returns the value for a text column that may be NULL.
func text(b []byte) any {
	if b == nil {
		return nil
	}
	return string(b)
}

// appendJSON appends a record as the array that insertBatch reads.
func appendJSON(b []byte, r *record.Record) []byte {
	b = append(b, '[')
	for _, s := range []string{r.CorrelationID, r.Project, r.Source} {
		b = append(appendString(b, s), ',')
	}
	b = append(strconv.AppendInt(b, r.Timestamp, 10), ',')
	if r.DurationMS == nil {
		b = append(b, "null,"...)
	} else {
		b = append(strconv.AppendFloat(b, *r.DurationMS, 'e', -1, 64), ',')
	}
	b = append(appendString(b, r.Name), ',')
	if r.Attributes == nil {
		b = append(b, "null,"...)
	} else {
		b = append(appendString(b, string(r.Attributes)), ',')
	}
	b = append(appendString(b, string(r.Payload)), ',')
	b = append(b, '"')
	b = strconv.AppendInt(b, r.Digest, 10)
	return append(b, '"', ']')
}

// appendString appends s as a JSON string, with only the escapes that JSON needs.
func appendString(b []byte, s string) []byte {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string into memory
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}
