package functiontest

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// process is a running bootstrap and the runtime API that it talks to.
type process struct {
	api    *httptest.Server
	cmd    *exec.Cmd
	freeze bool

	startedAt time.Time
	readyAt   time.Time     // once ready is closed
	started   chan struct{} // closed once cmd says which process it is
	ready     chan struct{} // closed by the first question for an event
	exited    chan struct{} // closed when the process has ended

	first   sync.Once
	waiting atomic.Bool // it has asked for an event, and there is none
	events  chan *invocation

	mu      sync.Mutex
	current *invocation // the one that is not answered yet
}

type invocation struct {
	id       string
	event    []byte
	deadline time.Time
	answer   chan Answer // takes one
}

func startProcess(cfg Config, log *os.File) (*process, error) {
	p := &process{
		freeze:  cfg.Freeze,
		started: make(chan struct{}),
		ready:   make(chan struct{}),
		exited:  make(chan struct{}),
		events:  make(chan *invocation),
	}
	api := http.NewServeMux()
	api.HandleFunc("GET /2018-06-01/runtime/invocation/next", p.next)
	api.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", p.response)
	api.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", p.failure)
	api.HandleFunc("POST /2018-06-01/runtime/init/error", p.initFailure)
	p.api = httptest.NewServer(api)

	p.cmd = exec.Command(cfg.Bootstrap)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Env = slices.Concat(serviceEnv(p.api.Listener.Addr().String()), cfg.Env)
	p.startedAt = time.Now()
	if err := p.cmd.Start(); err != nil {
		p.api.Close()
		return nil, err
	}
	close(p.started)
	go func() {
		_ = p.cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// serviceEnv is what the service sets for a function on provided.al2023, but for the credentials of its role.
func serviceEnv(api string) []string {
	return []string{
		"AWS_LAMBDA_RUNTIME_API=" + api,
		"_HANDLER=bootstrap",
		"AWS_REGION=eu-central-1",
		"AWS_DEFAULT_REGION=eu-central-1",
		"AWS_LAMBDA_FUNCTION_NAME=function",
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256",
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/function",
		"AWS_LAMBDA_LOG_STREAM_NAME=2026/01/01/function[$LATEST]0",
		"AWS_LAMBDA_LOG_FORMAT=JSON",
		"LAMBDA_TASK_ROOT=/var/task",
		"LAMBDA_RUNTIME_DIR=/var/runtime",
		"LANG=en_US.UTF-8",
		"TZ=:UTC",
		"PATH=/usr/local/bin:/usr/bin:/bin:/opt/bin",
		"LD_LIBRARY_PATH=/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib",
	}
}

// invoke hands an event to the process. When its time is up the process is killed, whatever it does. taken is
// false when the process ended without having asked for the event.
func (p *process) invoke(event []byte, timeout time.Duration) (answer Answer, taken bool) {
	inv := &invocation{id: newID(), event: event, deadline: time.Now().Add(timeout), answer: make(chan Answer, 1)}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	failed := ExitError
	select {
	case p.events <- inv:
	case <-p.exited:
		return Answer{Failed: failed}, false
	case <-timer.C:
		p.stop()
		return Answer{Failed: TimedOut}, true
	}
	select {
	case answer = <-inv.answer:
		return answer, true
	case <-timer.C:
		failed = TimedOut
	case <-p.exited:
	}
	p.stop() // what was being posted has come to its end when this returns
	select {
	case answer = <-inv.answer:
	default:
	}
	answer.Failed = failed
	return answer, true
}

func (p *process) ended() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// stop kills the process, waits until it is gone, and ends its API. It may be called again.
func (p *process) stop() {
	_ = p.cmd.Process.Kill() // which a process that stands still hears, too
	<-p.exited
	p.api.CloseClientConnections()
	p.api.Close()
}

// next answers once there is an event.
func (p *process) next(w http.ResponseWriter, r *http.Request) {
	p.first.Do(func() {
		p.readyAt = time.Now()
		close(p.ready)
	})
	<-p.started
	if p.freeze {
		_ = p.cmd.Process.Signal(syscall.SIGSTOP)
	}
	p.waiting.Store(true)
	var inv *invocation
	select {
	case inv = <-p.events:
	case <-r.Context().Done():
		return
	}
	p.waiting.Store(false)
	if p.freeze {
		_ = p.cmd.Process.Signal(syscall.SIGCONT)
	}
	p.mu.Lock()
	p.current = inv
	p.mu.Unlock()
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
	h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(inv.deadline.UnixMilli(), 10))
	h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:123456789012:function:function")
	h.Set("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1")
	_, _ = w.Write(inv.event)
}

// response takes what the function answers, as it comes.
func (p *process) response(w http.ResponseWriter, r *http.Request) {
	inv := p.answered(w, r)
	if inv == nil {
		return
	}
	body, err := io.ReadAll(r.Body)
	answer := Answer{Body: body, ContentType: r.Header.Get("Content-Type"), Chunked: r.ContentLength < 0}
	if err != nil {
		answer.Failed, answer.Error = ExitError, err.Error()
	} else if kind := r.Trailer.Get("Lambda-Runtime-Function-Error-Type"); kind != "" {
		text, _ := base64.StdEncoding.DecodeString(r.Trailer.Get("Lambda-Runtime-Function-Error-Body"))
		answer.Failed, answer.Error = kind, string(text)
	}
	accepted(w)
	inv.answer <- answer
}

// failure takes the error that the function ended with.
func (p *process) failure(w http.ResponseWriter, r *http.Request) {
	inv := p.answered(w, r)
	if inv == nil {
		return
	}
	body, _ := io.ReadAll(r.Body)
	kind := r.Header.Get("Lambda-Runtime-Function-Error-Type")
	if kind == "" {
		kind = "Unhandled"
	}
	accepted(w)
	inv.answer <- Answer{Failed: kind, Error: string(body)}
}

// initFailure takes what a runtime says before it ends by itself, which its exit says again.
func (p *process) initFailure(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	accepted(w)
}

// answered returns the invocation that a request is the answer to, once. Any other is refused.
func (p *process) answered(w http.ResponseWriter, r *http.Request) *invocation {
	p.mu.Lock()
	defer p.mu.Unlock()
	inv := p.current
	if inv == nil || inv.id != r.PathValue("id") {
		http.Error(w, `{"errorType":"InvalidRequestID","errorMessage":"there is no such invocation"}`, http.StatusBadRequest)
		return nil
	}
	p.current = nil
	return inv
}

func accepted(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`)
}

func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
