// Package udp takes records as datagrams, one record each, for agents that must never wait. There is no answer of any
// kind: the sender never learns what became of a datagram.
//
// A datagram is
//
//	bv1 <php|postgres> <project> <unix seconds> <hex HMAC-SHA256>⏎<the record's JSON, or that under gzip>
//
// The HMAC is keyed with the project's API key. It covers the first line up to the space before the HMAC, with that space, and
// everything behind the line feed. The record is not read before the HMAC is right. A record that was taken is stored,
// however often the store refuses; only the end of the process can leave some behind. Each datagram that was not taken is
// counted under its Reason.
package udp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/wire/bitville"
)

const (
	defaultReceiveBuffer = 4 << 20                // bytes: as much as Linux grants unasked since 6.17
	maxDatagram          = 64 << 10               // bytes, above the most that UDP can carry
	lastReads            = 200 * time.Millisecond // how long datagrams are still read at the end: the kernel may hold some
	drainTimeout         = 3 * time.Second        // how long queued records are still stored after that
	errorPause           = 100 * time.Millisecond // after a failed read, so that a socket that keeps failing costs little
	kernelEvery          = time.Second            // between looks at the kernel's count
)

// Store is where records go. Insert returns once they are committed. After an error they may be stored or not, and storing
// them again is safe.
type Store interface {
	Insert(ctx context.Context, records []record.Record) (store.Result, error)
}

// Config is what a Receiver needs.
type Config struct {
	Addr      string                   // host:port
	Keys      []auth.Key               // of all projects
	Sources   map[string]record.Source // by their names in a datagram
	Retention time.Duration            // older records are dropped
	Redact    bool                     // literals are taken out of statements and plans
	Store     Store
	Log       *slog.Logger
	Now       func() time.Time

	// Forward takes records in place of Store, when it is not nil: the JSON of one, which it may use until it returns, under its
	// source's name in the datagram. Whether the record keeps the rules is left to whom it is forwarded to, but for its project,
	// which is that of the first line. The error is a Reason. Drops are then not logged: Drop does that.
	Forward func(source, project string, record []byte) error

	Drop  func(reason Reason, n int, bytes int64) // is called for dropped datagrams, for metrics; 0 bytes are unknown
	Count func(store.Count)                       // is called with what became of records, for metrics

	LogEvery      time.Duration // between two log lines on drops; 0 is a minute
	ReceiveBuffer int           // bytes of datagrams that the kernel should hold; 0 is 4 MiB
}

// Receiver takes datagrams.
type Receiver struct {
	cfg         Config
	conn        *net.UDPConn
	decoder     decoder // the reading goroutine's
	queue       chan record.Record
	queuedBytes atomic.Int64
	dropped     tally
	kernel      uint32 // drops that the kernel had counted at the last look
}

// Listen opens the socket. The caller must then call Run, which closes it.
func Listen(cfg Config) (*Receiver, error) {
	cfg.LogEvery = cmp.Or(cfg.LogEvery, time.Minute)
	cfg.ReceiveBuffer = cmp.Or(cfg.ReceiveBuffer, defaultReceiveBuffer)
	conn, err := net.ListenPacket("udp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("open the socket: %w", err)
	}
	r := &Receiver{
		cfg:     cfg,
		conn:    conn.(*net.UDPConn),
		decoder: newDecoder(cfg),
		queue:   make(chan record.Record, maxQueued),
		dropped: tally{counts: make(map[Reason]int)},
	}
	if granted, err := growBuffer(r.conn, cfg.ReceiveBuffer); err != nil || granted < cfg.ReceiveBuffer {
		fields := []any{"bytes", granted, "asked", cfg.ReceiveBuffer,
			"remedy", fmt.Sprintf("sysctl -w net.core.rmem_max=%d, and restart", cfg.ReceiveBuffer)}
		if err != nil {
			fields = append(fields, "error", err.Error())
		}
		cfg.Log.Warn("the kernel's receive buffer for datagrams is smaller than asked for: a burst may be lost", fields...)
	}
	return r, nil
}

// Addr is where datagrams are taken.
func (r *Receiver) Addr() net.Addr { return r.conn.LocalAddr() }

// Run takes datagrams until ctx ends. Then it stores what has arrived and returns, within four seconds even when the store
// fails. It may be called once.
func (r *Receiver) Run(ctx context.Context) {
	storing, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	var storer, watcher sync.WaitGroup
	storer.Go(func() { r.store(storing) })
	stored := make(chan struct{})
	watcher.Go(func() { r.tellDrops(stored) })
	defer context.AfterFunc(ctx, func() { _ = r.conn.SetReadDeadline(time.Now().Add(lastReads)) })()

	r.read()
	defer time.AfterFunc(drainTimeout, giveUp).Stop()
	close(r.queue)
	storer.Wait()
	close(stored)
	watcher.Wait()
	_ = r.conn.Close()
}

// read takes datagrams until the read deadline. It is one goroutine, so that a flood costs one core at most.
func (r *Receiver) read() {
	in := newReader(r.conn)
	for {
		err := in.read(r.receive)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return
		}
		if err != nil {
			r.dropped.note(err)
			time.Sleep(errorPause)
		}
	}
}

// receive queues the record of a datagram, or drops it.
func (r *Receiver) receive(datagram []byte, from net.Addr) {
	rejected, err := r.take(datagram)
	if err == nil {
		return
	}
	reason, _ := errors.AsType[Reason](err)
	r.drop(reason, 1, int64(len(datagram)))
	// Authors of agents get no answer, so that they read this line.
	debug := context.Background()
	if !r.cfg.Log.Enabled(debug, slog.LevelDebug) || !r.dropped.mayTell() {
		return
	}
	attrs := []slog.Attr{slog.String("from", from.String())}
	if syntax, ok := errors.AsType[*bitville.SyntaxError](err); ok {
		attrs = append(append(attrs, slog.String("reason", string(reason))), syntax.Attrs()...)
	} else if len(rejected) > 0 {
		attrs = append(append(attrs, slog.String("reason", string(reason))), rejected[0].Attrs()...)
	} else {
		attrs = append(attrs, slog.String("reason", err.Error()))
	}
	r.cfg.Log.LogAttrs(debug, slog.LevelDebug, "datagram dropped", attrs...)
}

// take queues the record of a datagram, or returns what is wrong with it. Its errors are Reasons.
func (r *Receiver) take(datagram []byte) ([]record.Rejection, error) {
	now := r.cfg.Now()
	signed, err := r.decoder.verify(datagram, now)
	if err != nil {
		return nil, err
	}
	if r.cfg.Forward != nil {
		text, err := r.decoder.read(signed)
		if err != nil {
			return nil, err
		}
		return nil, r.cfg.Forward(signed.name, signed.project, text)
	}
	rec, rejected, err := r.decoder.decode(signed, now)
	if len(rejected) > 0 {
		r.cfg.Count(store.Count{Source: signed.source.ID, Project: signed.project, Rejected: rejected})
	}
	if err != nil {
		return rejected, err
	}
	return nil, r.put(rec)
}
