// Package functiontest runs the bootstrap of a Lambda function as the service does. It serves the runtime API
// (docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html) to one process, which it starts, freezes between
// events, kills when its time is up, and starts anew after a crash. A Runtime is an http.Handler too: the
// function's URL.
package functiontest

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Config says what to run.
type Config struct {
	Bootstrap string        // the function's program
	Env       []string      // the function's own variables; none of the test's are passed on
	Timeout   time.Duration // of an invocation, after which the process is killed; 10 s when 0
	Freeze    bool          // the process stands still while it has no event
	MaxEvent  int           // bytes, above which the URL answers by itself; what Lambda has when 0
}

// Why an invocation failed, where the function did not say it itself.
const (
	ExitError = "Runtime.ExitError"
	TimedOut  = "Sandbox.Timedout"
)

// Answer is what came of an invocation.
type Answer struct {
	Body        []byte // as the function posted it, or the part of it that came
	ContentType string
	Chunked     bool   // its length was not announced: it can be passed on while it is made
	Failed      string // the type of the error, or ""
	Error       string // what the function says of it, JSON
}

// Runtime is one execution environment of a function. Its methods may be called from any goroutine; events
// wait for each other.
type Runtime struct {
	cfg Config
	log *os.File // what all its processes wrote, to both of their outputs

	mu      sync.Mutex
	process *process
	starts  int
	stopped bool
}

// Start starts a bootstrap and waits until it asks for its first event. It is stopped when the test ends.
func Start(t testing.TB, cfg Config) *Runtime {
	t.Helper()
	r := newRuntime(t, cfg)
	require.NoError(t, r.start())
	return r
}

// Refusal starts a bootstrap that must end before it asks for an event. It returns the exit code and what the
// bootstrap wrote.
func Refusal(t testing.TB, cfg Config) (exit int, log string) {
	t.Helper()
	r := newRuntime(t, cfg)
	require.Error(t, r.start(), "the bootstrap asked for an event")
	require.NotNil(t, r.process, "the bootstrap cannot be run")
	select {
	case <-r.process.exited:
	default:
		t.Fatal("the bootstrap neither ended nor asked for an event")
	}
	return r.process.cmd.ProcessState.ExitCode(), r.Log(t)
}

func newRuntime(t testing.TB, cfg Config) *Runtime {
	t.Helper()
	if cfg.Timeout == 0 {
		cfg.Timeout = 10 * time.Second
	}
	if cfg.MaxEvent == 0 {
		cfg.MaxEvent = 6 << 20
	}
	// A file, since what was written to it can be read at once.
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	r := &Runtime{cfg: cfg, log: log}
	t.Cleanup(func() {
		r.Stop()
		require.NoError(t, log.Close())
	})
	return r
}

// start starts a process and waits until it is ready, 10 s at most, as the service does.
func (r *Runtime) start() error {
	p, err := startProcess(r.cfg, r.log)
	if err != nil {
		return fmt.Errorf("start %s: %w", r.cfg.Bootstrap, err)
	}
	r.process = p
	r.starts++
	select {
	case <-p.ready:
		return nil
	case <-p.exited:
		return fmt.Errorf("the bootstrap ended before it asked for an event: %s", p.cmd.ProcessState)
	case <-time.After(10 * time.Second):
		return fmt.Errorf("the bootstrap asked for no event within 10 s")
	}
}

// Invoke sends an event and waits for what comes of it. After a crash a new process is started first.
func (r *Runtime) Invoke(event []byte) Answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopped {
		return Answer{Failed: ExitError, Error: "the runtime was stopped"}
	}
	for {
		if r.process.ended() {
			r.process.stop()
			if err := r.start(); err != nil {
				return Answer{Failed: ExitError, Error: err.Error()}
			}
		}
		// A process may end after its last answer, and has not seen the event then.
		if answer, taken := r.process.invoke(event, r.cfg.Timeout); taken {
			return answer
		}
	}
}

// Stop ends the process, and the runtime with it.
func (r *Runtime) Stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopped = true
	if r.process != nil {
		r.process.stop()
	}
}

// Idle waits until the function asks for its next event, so that all that it does for the last one is done;
// with Freeze it stands still from then on. It returns false when that takes longer than ten seconds.
func (r *Runtime) Idle() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if r.process.waiting.Load() {
			return true
		}
	}
	return false
}

// Init is the time from the start of the latest process to its first question for an event.
func (r *Runtime) Init() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.process.readyAt.Sub(r.process.startedAt)
}

// Started is when the latest process was started.
func (r *Runtime) Started() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.process.startedAt
}

// Starts counts the processes: more than one says that the function crashed or was killed.
func (r *Runtime) Starts() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.starts
}

// PID is the latest process's.
func (r *Runtime) PID() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.process.cmd.Process.Pid
}

// Log returns what all processes wrote so far. An access log line is there once its request is answered.
func (r *Runtime) Log(t testing.TB) string {
	t.Helper()
	text, err := os.ReadFile(r.log.Name())
	require.NoError(t, err)
	return string(text)
}
