package udp

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/wire/bitville"
)

const (
	version = "bv1 " // that a datagram begins with

	maxLine = 512 // bytes, above what a project's longest name makes of a first line
	maxOff  = 60  // seconds between a sender's clock and ours
)

// header is the first line of a datagram.
type header struct {
	source, project string // as they were sent
	sent            int64  // Unix seconds
	mac             [sha256.Size]byte
	covered         []byte // by the MAC: all that is before it
}

// What is wrong with a first line, made once: a flood of them must cost little.
var (
	errNoVersion = malformed(fmt.Sprintf("it does not begin with %q", version))
	errNoLine    = fmt.Errorf("%w: there is no line feed in the first %d bytes; it ends the first line", Malformed, maxLine)
	errNoMAC     = malformed("the first line does not end in a space and a MAC of 64 hexadecimal digits")
	errNoTime    = malformed("the first line has no time before its MAC: Unix seconds, a whole number without a sign")
	errNoSource  = malformed("the first line names no source that sends datagrams, such as php; it is in lower case")
)

func malformed(what string) error {
	return fmt.Errorf("%w: %s; the first line is \"%s<source> <project> <Unix seconds> <MAC>\"", Malformed, what, version)
}

// parse cuts a datagram into its first line and its body. It looks at nothing of the body. The error is Malformed, and
// says more.
func parse(datagram []byte) (h header, body []byte, err error) {
	if !bytes.HasPrefix(datagram, []byte(version)) {
		return h, nil, errNoVersion
	}
	end := bytes.IndexByte(datagram[:min(len(datagram), maxLine)], '\n')
	if end < 0 {
		return h, nil, errNoLine
	}
	at := end - hex.EncodedLen(sha256.Size)
	if at <= len(version) || datagram[at-1] != ' ' {
		return h, nil, errNoMAC
	}
	if _, err := hex.Decode(h.mac[:], datagram[at:end]); err != nil {
		return h, nil, errNoMAC
	}
	h.covered = datagram[:at]
	source, rest, _ := bytes.Cut(datagram[len(version):at-1], []byte(" "))
	space := bytes.LastIndexByte(rest, ' ') // a project's name may hold spaces
	if space < 0 {
		return h, nil, errNoTime
	}
	sent, err := strconv.ParseUint(string(rest[space+1:]), 10, 63)
	if err != nil {
		return h, nil, errNoTime
	}
	h.source, h.project, h.sent = string(source), string(rest[:space]), int64(sent)
	return h, datagram[end+1:], nil
}

// signed is a datagram whose MAC is right.
type signed struct {
	source  record.Source
	project string // as the key spells it
	body    []byte
}

// decoder makes records of datagrams. Only one goroutine may use it.
type decoder struct {
	sources   map[string]record.Source
	macs      map[string][]hash.Hash // of each project's keys
	retention time.Duration
	sum       []byte // room for a MAC
	gzip      gzip.Reader
	opened    bytes.Buffer
}

func newDecoder(cfg Config) decoder {
	d := decoder{sources: cfg.Sources, macs: make(map[string][]hash.Hash), retention: cfg.Retention}
	for _, k := range cfg.Keys {
		d.macs[k.Project] = append(d.macs[k.Project], hmac.New(sha256.New, []byte(k.Secret)))
	}
	return d
}

// verify tells whom a datagram is from. What a forger can send fails as early as it may and costs no more than one
// HMAC a key, and nothing of its body is parsed. The error is a Reason, and says more.
func (d *decoder) verify(datagram []byte, now time.Time) (signed, error) {
	h, body, err := parse(datagram)
	if err != nil {
		return signed{}, err
	}
	source, known := d.sources[h.source]
	if !known {
		return signed{}, errNoSource
	}
	project := record.Project(h.project)
	macs, known := d.macs[project]
	if !known {
		return signed{}, fmt.Errorf("%w: no API key is set for %q", UnknownProject, project)
	}
	if off := now.Unix() - h.sent; off > maxOff || off < -maxOff {
		return signed{}, fmt.Errorf("%w: the first line says %d and it is %d here, in Unix seconds; they may be %d apart", Clock, h.sent, now.Unix(), maxOff)
	}
	for _, mac := range macs {
		mac.Reset()
		mac.Write(h.covered)
		mac.Write(body)
		if d.sum = mac.Sum(d.sum[:0]); hmac.Equal(d.sum, h.mac[:]) {
			return signed{source, project, body}, nil
		}
	}
	return signed{}, BadMAC
}

// decode returns the record of a datagram, which shares no memory with it, or what is wrong with the record. The
// error is a Reason, and says more.
func (d *decoder) decode(s signed, now time.Time) (rec record.Record, rejected []record.Rejection, err error) {
	text, err := d.open(s.body)
	if err != nil {
		return rec, nil, fmt.Errorf("%w: gzip: %w", Invalid, err)
	}
	batch, err := bitville.Wire{Source: s.source}.Decode(text, bitville.JSON, record.Rules{Project: s.project, Now: now, Retention: d.retention})
	if _, ok := errors.AsType[*bitville.ProjectError](err); ok {
		return rec, nil, WrongProject
	}
	switch {
	case err != nil:
		return rec, nil, fmt.Errorf("%w: %w", Invalid, err)
	case !batch.Single:
		return rec, nil, fmt.Errorf("%w: an array; send one record a datagram", Invalid)
	case len(batch.Rejected) > 0:
		first := batch.Rejected[0].Details[0]
		return rec, batch.Rejected, fmt.Errorf("%w: %s %s", Invalid, first.Path, first.Message)
	}
	rec = batch.Records[0]
	rec.Payload, rec.Attributes = bytes.Clone(rec.Payload), bytes.Clone(rec.Attributes)
	return rec, nil, nil
}

// open returns the body decompressed. What opens to more than a record may hold is read no further.
func (d *decoder) open(body []byte) ([]byte, error) {
	if !bytes.HasPrefix(body, []byte("\x1f\x8b")) {
		return body, nil
	}
	if err := d.gzip.Reset(bytes.NewReader(body)); err != nil {
		return nil, err
	}
	d.opened.Reset()
	n, err := d.opened.ReadFrom(io.LimitReader(&d.gzip, record.MaxBytes+1))
	if err == nil && n > record.MaxBytes {
		err = fmt.Errorf("opens to more than %d bytes", record.MaxBytes)
	}
	return d.opened.Bytes(), err
}
