// Command listener is the program for production and for a developer's machine: every function's handler on one HTTPS
// listener, an SQLite database in a file or a libSQL server, and a purge every hour.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
)

// memoryLimit is what the Go runtime keeps to, collecting more often near it. With what SQLite takes, and the program
// itself, a process stays under 256 MB. GOMEMLIMIT in the environment sets another.
const memoryLimit = 176 << 20

// lastLines is how long the end of the process waits for whoever reads the log.
const lastLines = time.Second

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT) // before there is anything that a signal would leave unfinished
	go func() {
		<-signals
		cancel()
		<-signals
		os.Exit(1)
	}()
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
	// A reader of standard error that goes costs its lines and not the service, one of standard output the command, with
	// an error: a write there would end the process by SIGPIPE.
	signal.Ignore(syscall.SIGPIPE)
	lines := newLogWriter(os.Stderr)
	err := run(program{ctx, os.Environ(), os.Stdout, lines}, os.Args[1:])
	if err != nil {
		printError(lines, err)
	}
	lines.Close(lastLines)
	if err != nil {
		os.Exit(1)
	}
}
