package main

import (
	"os"
	"testing"

	"github.com/bitville/listener/localdev/listenertest"
)

var binary string // the built listener, made once for all tests

func TestMain(m *testing.M) { os.Exit(listenertest.Main(m, &binary)) }

// listener is the built binary, running.
type listener struct{ *listenertest.Listener }

// startListener starts the built binary on a free port with a database of its own and waits until it
// listens. env adds settings or replaces the test's. It is stopped, and must end well, when the test ends.
func startListener(t testing.TB, env ...string) *listener {
	t.Helper()
	return startListenerTrusting(t, "", env...)
}

// startListenerTrusting starts one whose certificate is not the one that it makes; caFile is trusted for it.
func startListenerTrusting(t testing.TB, caFile string, env ...string) *listener {
	t.Helper()
	l := &listener{listenertest.New(t, binary, caFile)}
	l.Start(t, env...)
	return l
}
