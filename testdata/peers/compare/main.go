// Command compare measures the listener beside its peers: each serves on this machine in turn, in rounds, under the same
// load from outside, with a new database each time. It prints a table of medians, with the spread of the rates.
package main

import (
	"cmp"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// scenario is one kind of load. Compressed ones and those in other agents' formats are sent by this program, the others by wrk.
type scenario struct {
	name        string
	connections int
	batch       int    // records of a request
	page        string // "v4" or "v7": they share one correlation id of that version; each has a random one without it
	profile     string // a file that holds the one profile of all records; 256 small ones without it
	gzip        bool
	rate        float64        // requests a second that are due, whatever is answered; 0 for as many as are answered
	refused     bool           // some may be: it is more than can be written in a second
	until       func() bool    // ends it before its time
	wire        func() request // makes each request, in another agent's format, which the listener alone takes
}

func main() {
	rounds := flag.Int("rounds", 5, "how often each server is measured")
	seconds := flag.Int("seconds", 4, "how long")
	only := flag.String("only", "", "names of loads with semicolons between them, all without it: "+names(loads("")))
	other := flag.String("listener", "", "path of another listener binary, to compare two versions: it is measured in turn with this one, and the peers are not")
	rows := flag.Int("rows", 0, "measure on databases of so many records too, of the last six days, and what reading and purging them takes")
	flag.Parse()
	log.SetFlags(0)
	if flag.NArg() > 0 || *rounds < 1 || *seconds < 1 || *rows < 0 {
		log.Fatalf("compare: %q is not understood: options begin with -, and -rounds and -seconds are 1 or more", os.Args[1:])
	}
	if err := run(*rounds, time.Duration(*seconds)*time.Second, *only, *other, *rows); err != nil {
		log.Fatal("compare: ", err)
	}
}

// loads returns all loads. large is the path of the large profile.
func loads(large string) []scenario {
	return []scenario{
		{name: "single", connections: 32, batch: 1},
		{name: "single, 64 connections", connections: 64, batch: 1},
		{name: "page, UUIDv4", connections: 32, batch: 11, page: "v4"}, // a page and its ten statements
		{name: "page, UUIDv7", connections: 32, batch: 11, page: "v7"},
		{name: "batches of 100", connections: 8, batch: 100},
		{name: "batches of 4 MiB", connections: 8, batch: 1900, refused: true},
		{name: "150 KB", connections: 8, batch: 1, profile: large},
		{name: "150 KB gzip", connections: 8, batch: 1, profile: large, gzip: true},
		{name: "OTLP JSON, 100 spans", connections: 8, batch: 100, wire: otlpPages(false)},
		{name: "OTLP protobuf, 100 spans", connections: 8, batch: 100, wire: otlpPages(true)},
		{name: "php-profiler, 204 KB", connections: 8, batch: 1, wire: xhguiPages()},
		{name: "open", connections: 256, batch: 1, rate: 1}, // half of what the peer did with single ones, or 3,000
	}
}

func names(loads []scenario) string {
	var names []string
	for _, s := range loads {
		names = append(names, s.name)
	}
	return strings.Join(names, "; ")
}

func run(rounds int, duration time.Duration, only, other string, rows int) error {
	dir, err := os.MkdirTemp("", "compare-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	large := filepath.Join(dir, "large.json")
	scenarios, err := chosen(loads(large), only)
	if err != nil {
		return err
	}
	servers, err := prepare(dir, other)
	if err != nil {
		return err
	}
	if err := writeLarge(large); err != nil {
		return err
	}
	var grown []server
	if rows > 0 {
		if grown, err = grow(servers, dir, rows); err != nil {
			return err
		}
	}
	servers = append(servers, grown...)
	fmt.Printf("%s, %d processors, %s: medians of %d rounds of %s.\n\n", time.Now().Format(time.DateOnly), runtime.NumCPU(), runtime.Version(), rounds, duration)
	fmt.Println("| load | server | records/s (lowest to highest) | to the peer | to null | p50 ms | p99 ms | CPU µs/record | written/received | on disk/received | peak MB |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|---|")
	var peak float64 // of the peer, in single records a second
	for _, s := range scenarios {
		if s.rate > 0 {
			s.rate = cmp.Or(peak/2, 3000)
		}
		results := make(map[string][]result)
		for range rounds {
			for _, server := range servers {
				if s.wire != nil && !strings.HasPrefix(server.name, "listener") {
					continue
				}
				r, err := measure(server, s, dir, duration)
				if err != nil {
					return fmt.Errorf("%s, %s: %w", s.name, server.name, err)
				}
				results[server.name] = append(results[server.name], r)
			}
		}
		if s.name == "single" && other == "" {
			peak = median(results["Bun"], func(r result) float64 { return r.rate })
		}
		title := s.name
		if s.rate > 0 {
			title = fmt.Sprintf("open, %.0f/s", s.rate)
		}
		for i, server := range servers {
			all := results[server.name]
			if len(all) == 0 {
				continue
			}
			printRow(row, title, server.name, all, compared(all, results["Bun"]), compared(all, results["null"]))
			if other != "" && i%2 == 1 { // the old one stands before each
				printRow(ratioRow, title, "to the old, by round", ratios(all, results[servers[i-1].name]), "", "")
			}
		}
	}
	if rows > 0 && other == "" {
		return readAndPurge(grown[len(grown)-1])
	}
	return nil
}

// chosen returns the loads that only names, all when it is empty.
func chosen(all []scenario, only string) (some []scenario, err error) {
	if only == "" {
		return all, nil
	}
	for _, name := range strings.Split(only, ";") {
		i := slices.IndexFunc(all, func(s scenario) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no load %q for -only; there are: %s", name, names(all))
		}
		some = append(some, all[i])
	}
	return some, nil
}

const (
	row      = "| %s | %s | %.0f (%.0f to %.0f) | %s | %s | %.2f | %.1f | %.0f | %.2f | %.2f | %.0f |\n"
	ratioRow = "| %s | %s | %.2f (%.2f to %.2f) | %s | %s | %.2f | %.2f | %.2f | %.2f | %.2f | %.2f |\n"
)

func printRow(format, load, name string, all []result, toPeer, toNull string) {
	rates := func(r result) float64 { return r.rate }
	byRate := func(a, b result) int { return cmp.Compare(a.rate, b.rate) }
	fmt.Printf(format, load, name, median(all, rates), slices.MinFunc(all, byRate).rate, slices.MaxFunc(all, byRate).rate, toPeer, toNull,
		median(all, func(r result) float64 { return r.p50 }), median(all, func(r result) float64 { return r.p99 }),
		median(all, func(r result) float64 { return r.cpu }), median(all, func(r result) float64 { return r.written }),
		median(all, func(r result) float64 { return r.disk }), median(all, func(r result) float64 { return r.peak }))
}

// compared returns the ratio of two servers' rates, "" when the other was not measured.
func compared(all, others []result) string {
	if len(others) == 0 {
		return ""
	}
	rate := func(r result) float64 { return r.rate }
	return fmt.Sprintf("%.2f", median(all, rate)/median(others, rate))
}

// ratios divides what was measured of two servers, round by round: what slows the machine for a while slows both.
func ratios(all, others []result) (quotients []result) {
	for i, a := range all {
		b := others[i]
		quotients = append(quotients, result{a.rate / b.rate, a.p50 / b.p50, a.p99 / b.p99, a.cpu / b.cpu,
			a.written / b.written, a.disk / b.disk, a.peak / b.peak})
	}
	return quotients
}

func median(all []result, f func(result) float64) float64 {
	values := make([]float64, len(all))
	for i, r := range all {
		values[i] = f(r)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
