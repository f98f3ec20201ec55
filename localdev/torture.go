//go:build torture

package main

import (
	"os"

	"github.com/bitville/listener/shared/store/sqlite/faultvfs"
)

// The listener of the folder torture: its file system is traced, and fails when it is told to.
func init() {
	if err := faultvfs.Register(os.Getenv("TORTURE_TRACE"), os.Getenv("TORTURE_FAULTS")); err != nil {
		panic(err)
	}
}
