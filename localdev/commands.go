package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// program is what a command runs in.
type program struct {
	ctx     context.Context // ends with SIGTERM or SIGINT
	environ []string
	stdout  io.Writer
	stderr  *logWriter
}

const description = `listener takes profiling records over HTTPS and UDP, and keeps them in SQLite or on a libSQL server.

Without a command it serves. Settings come from the environment: README.md lists them, as does /etc/bitville/listener.env
where the listener was installed. "listener help COMMAND" says more of one command.`

// commands are what the listener does, each in a file of its name.
type commands struct {
	Serve      serveCommand      `cmd:"" default:"1" help:"Serve until SIGTERM or SIGINT (the default). A second signal ends it at once."`
	Dev        devCommand        `cmd:"" help:"Serve with a key, a certificate and a database of its own in the folder .dev."`
	Check      checkCommand      `cmd:"" help:"Tell all that would keep serve from starting."`
	Purge      purgeCommand      `cmd:"" help:"Delete the records that are older than BITVILLE_RETENTION."`
	Show       showCommand       `cmd:"" help:"Print what is stored under a correlation id."`
	Slowest    slowestCommand    `cmd:"" help:"List the slowest requests, and where the time of each went."`
	Why        whyCommand        `cmd:"" help:"Tell what made a request slow."`
	Trace      traceCommand      `cmd:"" help:"Print a request whole: statements, plans, functions."`
	Routes     routesCommand     `cmd:"" help:"List the routes that took most time."`
	Statements statementsCommand `cmd:"" help:"List the statements that took most time."`
	Agent      agentCommand      `cmd:"" help:"Send records of this host to a listener."`
	Backup     backupCommand     `cmd:"" help:"Copy the database, a file, into a new file."`
	Version    versionCommand    `cmd:"" help:"Print the version."`
}

// run runs the command that the arguments name.
func run(p program, args []string) error {
	parser, err := kong.New(&commands{}, kong.Name("listener"), kong.Description(description), kong.NoDefaultHelp(),
		kong.Writers(p.stdout, p.stderr), kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		return fmt.Errorf("the commands: %w", err)
	}
	args, help := spelled(args)
	if help {
		named, err := kong.Trace(parser, args)
		if err = errors.Join(err, named.Error); err != nil {
			return fmt.Errorf("%w; see listener help", err)
		}
		if len(args) == 0 {
			named.Path = named.Path[:1] // the program, not its default
		}
		return named.PrintUsage(false)
	}
	command, err := parser.Parse(args)
	if err != nil {
		return fmt.Errorf("%w; see listener help", err)
	}
	return command.Run(p)
}

// spelled writes the arguments as the parser takes them: an option has one dash or two, and -version and -check are
// commands. help tells that help was asked for, by the command or the option.
func spelled(args []string) (spelled []string, help bool) {
	for i, arg := range args {
		switch {
		case arg == "--":
			return append(spelled, args[i:]...), help
		case slices.Contains([]string{"-h", "-help", "--help"}, arg) || i == 0 && arg == "help":
			help = true
		case i == 0 && slices.Contains([]string{"-version", "--version", "-check", "--check"}, arg):
			spelled = append(spelled, strings.TrimLeft(arg, "-"))
		case len(arg) > 2 && arg[0] == '-' && arg[1] != '-':
			spelled = append(spelled, "-"+arg)
		default:
			spelled = append(spelled, arg)
		}
	}
	return spelled, help
}
