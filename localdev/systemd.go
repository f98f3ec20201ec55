package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// notifier tells systemd how the process is: Type=notify and WatchdogSec= in its unit. Where systemd did not
// start the process it does nothing.
type notifier struct {
	log *slog.Logger
}

// ready says that the listener serves, at first and after a reload; systemctl status shows the status.
func (n notifier) ready(status string) { n.tell(daemon.SdNotifyReady + "\nSTATUS=" + status) }

func (n notifier) reloading() { n.tell(daemon.SdNotifyReloading) }

func (n notifier) stopping() { n.tell(daemon.SdNotifyStopping + "\nSTATUS=stopping") }

// feedWatchdog tells systemd that the process works, at half of the time that it allows, until ctx ends. While alive says
// no or does not return nothing is told, and systemd starts the process anew.
func (n notifier) feedWatchdog(ctx context.Context, alive func() bool) {
	allowed, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		n.log.Error("systemd's watchdog cannot be told", "error", err)
	}
	if allowed == 0 {
		return
	}
	for tick := time.Tick(allowed / 2); ; {
		if alive() {
			n.tell(daemon.SdNotifyWatchdog)
		} else {
			n.log.Error("GET /health fails in the process itself: systemd is going to start it anew")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick:
		}
	}
}

func (n notifier) tell(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		n.log.Error("systemd cannot be told", "state", state, "error", err)
	}
}

// healthy tells whether the handler answers GET /health, by all that a request meets but the network and the
// database: to start anew would mend neither.
func healthy(h http.Handler) func() bool {
	return func() bool {
		r, err := http.NewRequest(http.MethodGet, "/health", http.NoBody)
		if err != nil {
			return false
		}
		r.RemoteAddr = "watchdog" // for the log
		w := statusWriter{header: make(http.Header)}
		h.ServeHTTP(&w, r)
		return w.status == http.StatusOK
	}
}

// statusWriter is an answer of which the status is kept. Handlers here write it always.
type statusWriter struct {
	header http.Header
	status int
}

func (w *statusWriter) Header() http.Header         { return w.header }
func (w *statusWriter) Write(p []byte) (int, error) { return len(p), nil }
func (w *statusWriter) WriteHeader(status int)      { w.status = status }
