// Package bitville is our own wire format: records as JSON, one object, an array of objects, or an object a line. A
// record is checked whole, so that an agent's author sees every problem of it at once, and what is free-form
// (profiling_data, extra fields) is kept byte for byte: no number passes through a float and no text is written anew.
package bitville

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"

	"github.com/bitville/listener/shared/record"
)

// The content types of the format.
const (
	JSON   = "application/json"     // one object, or an array of objects
	NDJSON = "application/x-ndjson" // one object a line; blank lines don't count
)

const (
	maxAttributes = 1000 // extra fields of one record
	maxDetails    = 20   // problems listed for one record
	maxTold       = 500  // problems told of one body; a record beyond has its first problem's path alone
)

// Wire reads the bodies of one kind of agent and writes their answers. It is an intake.Wire.
type Wire struct{ Source record.Source }

// ErrTooManyRecords says that a body holds more than record.MaxRecords.
var ErrTooManyRecords = errors.New("too many records in one body")

// SyntaxError says that a body is not JSON, or not UTF-8.
type SyntaxError struct {
	Offset  int    // of the first byte that cannot be right, from 0
	Message string // what the body looks like and what to send, with nothing of it; never empty
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid JSON at byte %d: %s", e.Offset, e.Message)
}

// Attrs are the error's attributes of a log line.
func (e *SyntaxError) Attrs() []slog.Attr {
	return []slog.Attr{slog.Int("offset", e.Offset), slog.String("message", e.Message)}
}

// ProjectError says that a record names a project that the request's key is not for.
type ProjectError struct {
	Index   int    // the record, from 0
	Project string // that the key is for
}

func (e *ProjectError) Error() string { return fmt.Sprintf("record %d names another project", e.Index) }

// Attrs are the error's attributes of a log line.
func (e *ProjectError) Attrs() []slog.Attr {
	return []slog.Attr{slog.String("message", e.Error()), slog.Int("index", e.Index), slog.String("path", "project")}
}

// Decode cuts a body into records and checks each of them. The content type is NDJSON, or any other for JSON. The error
// is a *SyntaxError or ErrTooManyRecords when the body cannot be read as a whole, and a *ProjectError when a record
// names another project, which counts for more than whatever else is wrong with single records.
func (w Wire) Decode(body []byte, contentType string, rules record.Rules) (record.Batch, error) {
	p := parser{source: w.Source, rules: rules}
	var err error
	if contentType == NDJSON {
		err = p.lines(body)
	} else {
		err = p.document(body)
	}
	if err == nil && p.wrongProject != nil {
		err = p.wrongProject
	}
	return p.batch, err
}

// parser reads one body.
type parser struct {
	source       record.Source
	rules        record.Rules
	batch        record.Batch
	wrongProject *ProjectError // of the first record that names another project
	told         int           // problems, of all records
}

func (p *parser) document(body []byte) error {
	text := body
	if bad := invalidUTF8(body); bad >= 0 {
		text = body[:bad] // whatever comes first, this end or an error before it, is the offset to tell
	}
	i := skipSpace(text, skipBOM(text))
	p.batch.Single = i == len(text) || text[i] != '['
	var err error
	if !p.batch.Single {
		i, err = p.array(text, i)
	} else {
		i, err = p.element(text, i)
	}
	if err == errSyntax {
		return &SyntaxError{i, mistake(body, i, inside, JSON)}
	}
	if err != nil {
		return err
	}
	if i = skipSpace(text, i); i < len(body) {
		return &SyntaxError{i, mistake(body, i, behind, JSON)}
	}
	return nil
}

// errSyntax says that the text is no JSON at the offset that comes with it.
var errSyntax = errors.New("not JSON")

func (p *parser) array(text []byte, i int) (end int, err error) {
	i = skipSpace(text, i+1)
	if i < len(text) && text[i] == ']' {
		return i + 1, nil
	}
	for {
		if i, err = p.element(text, i); err != nil {
			return i, err
		}
		i = skipSpace(text, i)
		switch {
		case i < len(text) && text[i] == ',':
			i = skipSpace(text, i+1)
		case i < len(text) && text[i] == ']':
			return i + 1, nil
		default:
			return i, errSyntax
		}
	}
}

// element scans and checks the record that starts at i.
func (p *parser) element(text []byte, i int) (end int, err error) {
	f, end, ok := scanFields(text, i, p.source.NameField)
	if !ok {
		return end, errSyntax
	}
	return end, p.check(&f)
}

func (p *parser) lines(body []byte) error {
	for line := range bytes.Lines(body) {
		text := bytes.TrimRight(line, " \t\r\n")
		start := skipSpace(text, skipBOM(text)) // files that were put behind each other have a mark each
		if start == len(text) {
			continue
		}
		valid := text
		if bad := invalidUTF8(text); bad >= 0 {
			valid = text[:bad]
		}
		f, end, ok := scanFields(valid, start, p.source.NameField)
		where := inside
		if ok {
			end, where = skipSpace(valid, end), behind
		}
		if !ok || end < len(text) {
			f = fields{offset: &end, problem: fmt.Sprintf("is not JSON: byte %d of the line, counted from 0, cannot be right: %s", end, mistake(text, end, where, NDJSON))}
		}
		if err := p.check(&f); err != nil {
			return err
		}
	}
	return nil
}

// check takes the next record of the body into the batch, or lists what is wrong with it.
func (p *parser) check(f *fields) error {
	index := len(p.batch.Records) + len(p.batch.Rejected)
	if index == record.MaxRecords {
		return ErrTooManyRecords
	}
	c := checker{source: p.source, rules: p.rules}
	rec := c.record(f)
	if c.wrongProject && p.wrongProject == nil {
		p.wrongProject = &ProjectError{index, p.rules.Project}
	}
	if p.told += len(c.details); p.told > maxTold {
		c.details = c.details[:min(len(c.details), 1)]
		for i := range c.details {
			c.details[i].Message = "is wrong"
		}
	}
	if len(c.details) > 0 {
		p.batch.Rejected = append(p.batch.Rejected, record.Rejection{Index: index, Details: c.details, Offset: f.offset})
	} else {
		p.batch.Records = append(p.batch.Records, rec)
	}
	return nil
}
