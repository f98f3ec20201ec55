package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/bitville/listener/localdev/certs"
	"github.com/bitville/listener/localdev/report"
	"github.com/bitville/listener/shared/access"
	"github.com/bitville/listener/shared/config"
	"github.com/bitville/listener/shared/store/sqlite"
)

// otherDescriptors is how many descriptors a listener needs that are not of connections: the database's, sockets, files.
const otherDescriptors = 64

// prepare does what serve does before it listens, and check alone: it reads the settings and tells at once all that would
// keep a listener from starting, as the user of this process. It makes and changes nothing.
func prepare(p program, serving bool) (config.Config, *slog.Logger, error) {
	cfg, log, settings := load(config.Load, p)
	problems := inspect(p.ctx, cfg, log, serving)
	switch {
	case settings != nil:
		return cfg, log, problemList{"the settings are not right", append(settings.problems, problems...)}
	case len(problems) > 1:
		return cfg, log, problemList{"the listener cannot start", problems}
	case len(problems) == 1:
		return cfg, log, problems[0]
	}
	warnOfDescriptors(cfg, log)
	return cfg, log, nil
}

// inspect tells what is wrong with the database, the certificate and the addresses. What is empty in the settings it
// passes over, for that has been told. A server may be away when a listener starts, and a certificate may have expired: check alone
// takes that for wrong; and it may run beside a listener, which then has the addresses.
func inspect(ctx context.Context, cfg config.Config, log *slog.Logger, serving bool) (problems []error) {
	served := cfg.DBPath != "" && sqlite.Served(cfg.DBPath)
	switch {
	case cfg.DBURL != "" && !serving:
		if err := askServer(ctx, cfg); err != nil {
			problems = append(problems, err)
		}
	case cfg.DBPath != "" && serving && served:
		problems = append(problems, cannotOpen(cfg.DBPath, errors.New("another listener serves it; stop that one first, or name another file")))
	case cfg.DBPath != "":
		if err := sqlite.Check(ctx, cfg.DBPath); err != nil {
			problems = append(problems, cannotOpen(cfg.DBPath, err))
		}
	}
	told := len(problems) > 0 && cfg.TLSCertPath == "" && access.MakeIn(filepath.Dir(cfg.DBPath)) != nil // the folder of both
	if !told && (cfg.DBPath != "" || cfg.DBURL != "") {
		ended, err := certs.Check(certificateConfig(cfg, log))
		if err == nil && !serving && !ended.IsZero() {
			err = fmt.Errorf("the certificate %s (BITVILLE_TLS_CERT_PATH) ended on %s; renew it", cfg.TLSCertPath, ended.Format(time.DateOnly))
		}
		if err != nil {
			problems = append(problems, err)
		}
	}
	for _, a := range []struct{ network, address, setting string }{
		{"tcp", cfg.ListenAddr, "BITVILLE_LISTEN_ADDR"}, {"udp", cfg.UDPAddr, "BITVILLE_UDP_ADDR"}, {"tcp", cfg.MetricsAddr, "BITVILLE_METRICS_ADDR"},
	} {
		if a.address == "" {
			continue
		}
		tried, err := listenOn(a.network, a.address)
		if err == nil {
			defer tried.Close() // only when all are tried: one may take what another wants
		}
		if !serving && served && errors.Is(err, syscall.EADDRINUSE) {
			log.Warn("a listener serves the database now: whether the address will be free when it has ended cannot be told", "setting", a.setting, "addr", a.address)
			continue
		}
		if err != nil {
			problems = append(problems, cannotListen(a.address, a.setting, err))
		}
	}
	return problems
}

func askServer(ctx context.Context, cfg config.Config) error {
	db, err := openServer(cfg)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.Reach(ctx); err != nil {
		return fmt.Errorf("ask the database server (BITVILLE_DB_URL): %w", err)
	}
	return nil
}

// listenOn listens on an address, for TCP or UDP.
func listenOn(network, address string) (io.Closer, error) {
	if network == "udp" {
		return net.ListenPacket(network, address)
	}
	return net.Listen(network, address)
}

// cannotListen tells why an address cannot be listened on, and the remedy.
func cannotListen(address, setting string, err error) error {
	remedy := ""
	_, port, _ := net.SplitHostPort(address)
	switch dns, isDNS := errors.AsType[*net.DNSError](err); {
	case errors.Is(err, syscall.EADDRINUSE):
		remedy = fmt.Sprintf("; end what has it (ss -lntup 'sport = :%s' tells), or set another port", port)
	case errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM):
		remedy = "; a port below 1024 needs CAP_NET_BIND_SERVICE, which the systemd unit gives: start it by that, or set another port"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		remedy = "; set an address of this machine (ip addr lists them), or no host for all of them"
	case errors.Is(err, syscall.EAFNOSUPPORT):
		remedy = "; this machine lacks that version of IP: set an address of the other"
	case isDNS:
		return fmt.Errorf("listen on %s (%s): the host %s is not known (%s); set an address of this machine, or no host for all of them", address, setting, dns.Name, dns.Err)
	}
	return fmt.Errorf("listen on %s (%s): %w%s", address, setting, err, remedy)
}

// warnOfDescriptors tells when the process may open fewer files than connections are allowed.
func warnOfDescriptors(cfg config.Config, log *slog.Logger) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return
	}
	if need := uint64(cfg.MaxConnections) + otherDescriptors; limit.Cur < need {
		log.Warn("the limit of open files is below what BITVILLE_MAX_CONNECTIONS needs: raise it (ulimit -n, LimitNOFILE= of the unit), or set fewer connections",
			"limit", limit.Cur, "needed", need, "max_connections", cfg.MaxConnections)
	}
}

func certificateConfig(cfg config.Config, log *slog.Logger) certs.Config {
	return certs.Config{
		CertPath:      cfg.TLSCertPath,
		KeyPath:       cfg.TLSKeyPath,
		SelfSignedDir: filepath.Dir(cfg.DBPath),
		ACME: certs.ACME{
			Domains:      cfg.ACMEDomains,
			Email:        cfg.ACMEEmail,
			DirectoryURL: cfg.ACMEDirectoryURL,
			CacheDir:     cfg.ACMECacheDir,
		},
		Log: log,
		Now: now,
	}
}

// problemList is all that is wrong, each in a line of its own.
type problemList struct {
	title    string
	problems []error
}

func (l problemList) Error() string {
	text := l.title + ":"
	for _, p := range l.problems {
		text += "\n  " + oneLine(p.Error())
	}
	return text
}

// printError prints an error in one line, or one for each problem.
func printError(stderr *logWriter, err error) {
	text := oneLine(err.Error())
	if list, ok := errors.AsType[problemList](err); ok {
		text = list.Error()
	}
	fmt.Fprintln(stderr, "listener:", text)
}

// oneLine is an error's text in one line. It may hold what a stranger sent.
func oneLine(text string) string {
	return report.Clean(strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), "; "))
}

// load reads the settings and makes the log that they ask for, also when they are not right; what is wrong in them is empty.
func load[C interface {
	NewLog(to io.Writer, terminal bool) *slog.Logger
}](read func([]string) (C, []string, error), p program) (cfg C, log *slog.Logger, problems *problemList) {
	cfg, warnings, err := read(p.environ)
	info, statErr := os.Stderr.Stat()
	log = cfg.NewLog(p.stderr, statErr == nil && info.Mode()&os.ModeCharDevice != 0)
	p.stderr.tell = func(lost int) {
		log.Warn("lines of this log were lost: nobody read them, or they could not be written", "lines", lost)
	}
	slog.SetDefault(log) // what a library prints by package log comes here too
	if err != nil {
		all := problemList{title: "the settings are not right", problems: []error{err}}
		if joined, ok := err.(interface{ Unwrap() []error }); ok {
			all.problems = joined.Unwrap()
		}
		slips, rest := config.Slips(warnings) // a name with a slip may be why something is missing
		for _, w := range slips {
			all.problems = append(all.problems, errors.New(w))
		}
		problems, warnings = &all, rest
	}
	for _, w := range warnings {
		log.Warn(w)
	}
	return cfg, log, problems
}
