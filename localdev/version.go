package main

import (
	"fmt"
	"runtime/debug"
)

// version is set by the linker; see the Makefile.
var version = ""

type versionCommand struct{}

// Run runs the command.
func (versionCommand) Run(p program) error {
	_, err := fmt.Fprintln(p.stdout, versionText())
	return err
}

func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
