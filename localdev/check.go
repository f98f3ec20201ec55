package main

import "fmt"

type checkCommand struct{}

// Help is what listener check -help says more.
func (checkCommand) Help() string {
	return "It looks at the settings, the database, the certificate and the addresses, as the user who runs it: run it as the user who serves. It serves and makes nothing."
}

// Run runs the command.
func (checkCommand) Run(p program) error {
	if _, _, err := prepare(p, false); err != nil {
		return err
	}
	_, err := fmt.Fprintln(p.stdout, "all is right")
	return err
}
