package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/bitville/listener/localdev/certs"
)

const key = "a-key-for-the-comparison"

// server is one of those that are compared.
type server struct {
	name  string
	port  string
	start func(database string, env ...string) *exec.Cmd
	count string // SQL that counts its records; "" for one that stores none
	grown string // the database that it goes on with, a new one each time without it
}

// prepare builds what is compared: the listener and its peers, or the listener and another binary of it.
func prepare(dir, other string) ([]server, error) {
	for name, pkg := range map[string]string{"listener": "./localdev", "null": "./testdata/peers/null"} {
		build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, name), pkg)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("build %s: %w: %s", pkg, err, out)
		}
	}
	_, err := certs.Open(context.Background(), certs.Config{SelfSignedDir: dir, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		return nil, err
	}
	cert, tlsKey := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	command := func(path string, args, env []string) *exec.Cmd {
		c := exec.Command(path, args...)
		c.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}, env...)
		return c
	}
	const count = "SELECT count(*) FROM profiling_data"
	listener := func(name, port, path string) server {
		return server{name, port, func(database string, env ...string) *exec.Cmd {
			return command(path, []string{"serve"}, append(env, "BITVILLE_API_KEY_SHOP="+key, "BITVILLE_DB_PATH="+database,
				"BITVILLE_LISTEN_ADDR=127.0.0.1:"+port, "BITVILLE_TLS_CERT_PATH="+cert, "BITVILLE_TLS_KEY_PATH="+tlsKey))
		}, count, ""}
	}
	built := listener("listener", "28703", filepath.Join(dir, "listener"))
	if other != "" {
		return []server{listener("listener (old)", "28704", other), built}, nil
	}
	return []server{
		{"Bun", "28701", func(database string, _ ...string) *exec.Cmd {
			return command(".tools/peers/node_modules/.bin/bun", []string{"testdata/peers/bun/server.ts"},
				[]string{"KEY=" + key, "DB=" + database, "PORT=28701", "CERT=" + cert, "TLS_KEY=" + tlsKey, "NODE_PATH=.tools/peers/node_modules"})
		}, count, ""},
		{"null", "28702", func(string, ...string) *exec.Cmd {
			return command(filepath.Join(dir, "null"), nil, []string{"PORT=28702", "CERT=" + cert, "TLS_KEY=" + tlsKey})
		}, "", ""},
		built,
	}, nil
}

var client = &http.Client{Transport: &http.Transport{
	TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: 256, // its own certificate, on this machine
}}

func (s server) url() string { return "https://127.0.0.1:" + s.port }

// running is a server's process.
type running struct {
	cmd *exec.Cmd
	log *os.File
}

// run starts a server on a database and returns when it answers. Its log goes to a file, as a service's does.
func (s server) run(database string, env ...string) (*running, error) {
	file, err := os.Create(database + ".log")
	if err != nil {
		return nil, err
	}
	p := &running{s.start(database, env...), file}
	p.cmd.Stdout, p.cmd.Stderr = file, file
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if res, err := client.Get(s.url() + "/health"); err == nil {
			_ = res.Body.Close()
			return p, nil
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(file.Name())
			p.stop()
			return nil, fmt.Errorf("it does not answer: %s", bytes.TrimSpace(text))
		}
	}
}

func (p *running) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
	_ = p.log.Close()
}

// usage is what a process has taken from the machine so far.
type usage struct {
	cpu     time.Duration
	written float64 // bytes that were handed to the disk, or will be
	peakMB  float64
}

func (p *running) usage() (u usage, err error) {
	read := func(name string) string {
		text, readErr := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, name))
		if readErr != nil {
			err = readErr
		}
		return string(text)
	}
	_, rest, _ := strings.Cut(read("stat"), ") ")
	if fields := strings.Fields(rest); len(fields) > 13 {
		for _, ticks := range fields[11:13] { // utime, stime: hundredths of a second
			n, _ := strconv.Atoi(ticks)
			u.cpu += time.Duration(n) * 10 * time.Millisecond
		}
	}
	u.written = field(read("io"), "write_bytes:")
	u.peakMB = field(read("status"), "VmHWM:") / 1024
	return u, err
}

func field(text, name string) (value float64) {
	_, rest, _ := strings.Cut(text, name)
	_, _ = fmt.Sscan(rest, &value)
	return value
}

func readAll(r io.ReadCloser) {
	_, _ = io.Copy(io.Discard, r)
	_ = r.Close()
}
