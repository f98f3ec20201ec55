//go:build torture

package main

import (
	"os"
	"time"

	"github.com/bitville/listener/shared/store/sqlite/faultvfs"
)

// The listener of the folder torture: its file system is traced, and fails when it is told to.
func init() {
	if err := faultvfs.Register(os.Getenv("TORTURE_TRACE"), os.Getenv("TORTURE_FAULTS")); err != nil {
		panic(err)
	}
}

// purgeSchedule has a test see in seconds what takes hours.
const purgeSchedule = "@every 2s"

// now is the time by a clock that is wrong by what a file says.
func now() time.Time {
	text, err := os.ReadFile(os.Getenv("TORTURE_CLOCK"))
	if err != nil {
		return time.Now()
	}
	by, err := time.ParseDuration(string(text))
	if err != nil {
		panic("no duration in TORTURE_CLOCK: " + err.Error())
	}
	return time.Now().Add(by)
}
