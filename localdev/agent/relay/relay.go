// Package relay takes the records of the PHP agents on its host, as datagrams and as files in a folder, and hands them to a
// Shipper, which sends them to the listener. PHP so waits for nobody, and needs no connection of its own.
//
// A file is deleted when its records are on disk in the Shipper's spool: none is lost, whatever ends when. A datagram is on disk
// a moment after it has come; what is in memory at a crash is lost, as are datagrams that come while there is no relay.
package relay

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/bitville/listener/localdev/agent/ship"
	"github.com/bitville/listener/localdev/udp"
	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/record"
)

const (
	maxPending = 16 << 20               // bytes of records of datagrams that wait for the disk
	gather     = 50 * time.Millisecond  // for more records, so that they share a sync
	firstRetry = 100 * time.Millisecond // after the disk has refused records
	lastRetry  = 5 * time.Second
	complain   = time.Minute // between two lines of the log on one trouble
)

// Config is what a Relay needs.
type Config struct {
	Addr     string        // where datagrams are taken, host:port
	Keys     []auth.Key    // that datagrams are signed with
	SpoolDir string        // the folder of the PHP agents' files; may be empty
	Every    time.Duration // between two looks at that folder
	Shipper  *ship.Shipper
	Log      *slog.Logger
	Now      func() time.Time
	Read     func(records int) // is called with how many records were taken, for metrics
}

// Relay takes records.
type Relay struct {
	cfg      Config
	receiver *udp.Receiver
	wake     chan struct{} // of one place: there are records to put

	mu      sync.Mutex
	pending map[ship.Stream][][]byte // of datagrams
	bytes   int                      // of these
	left    int64                    // bytes of files that are not finished
}

// Reasons returns why the relay drops records, beside the Shipper's own reasons.
func Reasons() (reasons []string) {
	for _, r := range udp.Reasons() {
		reasons = append(reasons, string(r))
	}
	return reasons
}

// Listen opens the socket. The caller must then call Run, which closes it.
func Listen(cfg Config) (*Relay, error) {
	r := &Relay{cfg: cfg, wake: make(chan struct{}, 1), pending: make(map[ship.Stream][][]byte)}
	var err error
	r.receiver, err = udp.Listen(udp.Config{
		Addr:    cfg.Addr,
		Keys:    cfg.Keys,
		Sources: map[string]record.Source{"php": record.PHP, "postgres": record.Postgres},
		Forward: r.forward,
		Drop:    func(reason udp.Reason, n int, bytes int64) { cfg.Shipper.Drop(string(reason), n, bytes) },
		Log:     cfg.Log,
		Now:     cfg.Now,
	})
	return r, err
}

// Addr is where datagrams are taken.
func (r *Relay) Addr() net.Addr { return r.receiver.Addr() }

// Behind is how many bytes of files are not taken yet.
func (r *Relay) Behind() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.left
}

// Run takes records until ctx ends, and returns when those that came before are on disk, within some seconds.
func (r *Relay) Run(ctx context.Context) {
	var all sync.WaitGroup
	defer all.Wait()
	received := make(chan struct{})
	all.Go(func() {
		defer close(received)
		r.receiver.Run(ctx)
	})
	all.Go(func() { r.putAll(received) })
	if r.cfg.SpoolDir != "" {
		all.Go(func() { r.takeFiles(ctx) })
	}
}

// forward keeps a datagram's record for the disk. The error is udp.QueueFull.
func (r *Relay) forward(source, project string, text []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.bytes += len(text); r.bytes > maxPending {
		r.bytes -= len(text)
		return udp.QueueFull
	}
	to := ship.Stream{Agent: source, Project: project}
	r.pending[to] = append(r.pending[to], bytes.Clone(text))
	select {
	case r.wake <- struct{}{}:
	default:
	}
	return nil
}

// putAll puts the records of datagrams into the spool, until there will be no more.
func (r *Relay) putAll(received <-chan struct{}) {
	for isLast := false; !isLast; {
		select {
		case <-r.wake:
		case <-received:
			isLast = true
		}
		if !isLast {
			select {
			case <-time.After(gather):
			case <-received:
			}
		}
		r.mu.Lock()
		pending := r.pending
		r.pending = make(map[ship.Stream][][]byte)
		r.mu.Unlock()
		for to, records := range pending {
			r.put(to, records, received)
		}
	}
}

// put puts records of one stream, however often it must try, until the relay ends.
func (r *Relay) put(to ship.Stream, records [][]byte, received <-chan struct{}) {
	size := 0
	for _, text := range records {
		size += len(text)
	}
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.bytes -= size
	}()
	trouble := trouble{log: r.cfg.Log, now: r.cfg.Now}
	for pause := firstRetry; ; pause = min(2*pause, lastRetry) {
		err := r.cfg.Shipper.PutTo(to, records...)
		if err == nil {
			r.cfg.Read(len(records))
			return
		}
		trouble.say("datagrams cannot be kept", err)
		select {
		case <-time.After(pause):
			continue
		case <-received:
		}
		if err := r.cfg.Shipper.PutTo(to, records...); err != nil {
			r.cfg.Shipper.Drop(string(udp.NotStored), len(records), int64(size))
		}
		return
	}
}

// takeFiles takes the files of the PHP agents, until ctx ends.
func (r *Relay) takeFiles(ctx context.Context) {
	trouble := trouble{log: r.cfg.Log, now: r.cfg.Now}
	for tick := time.Tick(r.cfg.Every); ; {
		records, left, err := r.cfg.Shipper.Take(r.cfg.SpoolDir)
		r.cfg.Read(records)
		r.mu.Lock()
		r.left = left
		r.mu.Unlock()
		if err != nil {
			trouble.say("files of PHP agents cannot be taken", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
	}
}

// trouble is said at once, and then once a minute while it lasts.
type trouble struct {
	log  *slog.Logger
	now  func() time.Time
	said time.Time
}

func (t *trouble) say(msg string, err error) {
	if now := t.now(); now.Sub(t.said) >= complain {
		t.said = now
		t.log.Error(msg, "error", err.Error())
	}
}
