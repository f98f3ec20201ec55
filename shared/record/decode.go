package record

import (
	"bytes"
	"errors"
	"fmt"
	"time"
)

// Format is how records stand in a body.
type Format int

// The two formats of the wire.
const (
	JSON   Format = iota // one object, or an array of objects
	NDJSON               // one object a line; blank lines don't count
)

// ErrTooManyRecords says that a body holds more than MaxRecords.
var ErrTooManyRecords = errors.New("too many records in one body")

// SyntaxError says that a body is not JSON, or not UTF-8.
type SyntaxError struct {
	Offset  int    // of the first byte that cannot be right, from 0
	Message string // what the body looks like and what to send, with nothing of it; never empty
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid JSON at byte %d: %s", e.Offset, e.Message)
}

// ProjectError says that a record names a project that the request's key is not for.
type ProjectError struct {
	Index int // the record, from 0
}

func (e *ProjectError) Error() string { return fmt.Sprintf("record %d names another project", e.Index) }

// Decoder decodes the bodies of one source for one project.
type Decoder struct {
	Source    Source
	Project   string // as the key spells it
	Retention time.Duration
	Now       time.Time
}

// Decode cuts body into records and checks each of them. The error is a *SyntaxError or ErrTooManyRecords
// when the body cannot be read as a whole, and a *ProjectError when a record names another project, which
// counts for more than whatever else is wrong with single records.
func (d Decoder) Decode(body []byte, format Format) (Batch, error) {
	p := parser{Decoder: d}
	var err error
	if format == NDJSON {
		err = p.lines(body)
	} else {
		err = p.document(body)
	}
	if err == nil && p.foreign != nil {
		err = p.foreign
	}
	return p.batch, err
}

type parser struct {
	Decoder
	batch   Batch
	foreign *ProjectError
	told    int // problems, of all records
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
	f, end, ok := scanFields(text, i, p.Source.NameField)
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
		f, end, ok := scanFields(valid, start, p.Source.NameField)
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
	if index == MaxRecords {
		return ErrTooManyRecords
	}
	c := checker{Decoder: &p.Decoder}
	rec := c.record(f)
	if c.foreign && p.foreign == nil {
		p.foreign = &ProjectError{Index: index}
	}
	if p.told += len(c.details); p.told > maxTold {
		c.details = c.details[:min(len(c.details), 1)]
		for i := range c.details {
			c.details[i].Message = "is wrong"
		}
	}
	if len(c.details) > 0 {
		p.batch.Rejected = append(p.batch.Rejected, Rejection{Index: index, Details: c.details, Offset: f.offset})
	} else {
		p.batch.Records = append(p.batch.Records, rec)
	}
	return nil
}
