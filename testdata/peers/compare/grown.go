package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store/sqlite"
)

// peerRows bounds what the peer is measured on: its database takes as much of the disk again.
const peerRows = 1_000_000

// grow returns the peer and the listener, the listener last, as servers that have so many records.
func grow(servers []server, dir string, rows int) (grown []server, err error) {
	database := filepath.Join(dir, "grown.db")
	log.Printf("filling a database with %d records", rows)
	if err := fill(database, rows); err != nil {
		return nil, err
	}
	for _, s := range servers {
		name := s.name
		s.name = fmt.Sprintf("%s on %d rows", name, rows)
		switch {
		case name == "listener":
			s.grown = database
			grown = append(grown, s)
		case strings.HasPrefix(name, "listener"):
			s.grown = filepath.Join(dir, "old.db")
			if out, err := exec.Command("cp", database, s.grown).CombinedOutput(); err != nil {
				return nil, fmt.Errorf("copy the database: %w: %s", err, out)
			}
			grown = append(grown, s)
		case s.count != "" && rows <= peerRows:
			s.grown = filepath.Join(dir, "peer.db")
			log.Print("and the peer's")
			if err := s.copyFrom(database); err != nil {
				return nil, err
			}
			grown = append(grown, s)
		}
	}
	return grown, nil
}

// copyFrom fills the peer's database, in the order in which the records came.
func (s server) copyFrom(database string) error {
	p, err := s.run(s.grown) // it makes its tables
	if err != nil {
		return err
	}
	p.stop()
	db, err := sql.Open("sqlite", s.grown)
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, statement := range []string{
		"PRAGMA cache_size = -1000000",
		"ATTACH '" + database + "' AS theirs",
		`INSERT INTO main.profiling_data (correlation_id, project, source, timestamp, duration_ms, name, payload)
			SELECT correlation_id, project, source, timestamp / 1e6, duration_ms, name, payload FROM theirs.profiling_data ORDER BY id`,
		"PRAGMA main.wal_checkpoint(TRUNCATE)",
	} {
		if _, err := db.Exec(statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// fill makes a database of small records of the last six days.
func fill(path string, rows int) error {
	db, err := sqlite.Open(context.Background(), sqlite.Config{Path: path, Synchronous: "NORMAL", Now: time.Now})
	if err != nil {
		return err
	}
	profile, begin := smallProfile(), time.Now().Add(-6*24*time.Hour)
	batch := make([]record.Record, 1000)
	for done := 0; done < rows; done += len(batch) {
		for i := range batch {
			ms := float64((done + i) % 1500)
			at := begin.Add(time.Duration(float64(6*24*time.Hour) * float64(done+i) / float64(rows)))
			batch[i] = record.Record{CorrelationID: uuid(), Project: "shop", Source: "php_agent", Timestamp: at.UnixMicro(),
				DurationMS: &ms, Name: "/product/7", Payload: profile, Digest: int64(done+i) * 0x5851F42D4C957F2D}
		}
		for {
			if _, err = db.Insert(context.Background(), batch); err == nil {
				break
			}
			time.Sleep(50 * time.Millisecond) // it refuses while its WAL is full
		}
	}
	return db.Close()
}

// readAndPurge prints how long the listener takes to start on a grown database, how long those wait who read it, and what a
// purge of six hours of the six days takes while it goes on.
func readAndPurge(s server) error {
	const reads = 200
	reader, err := sqlite.OpenReader(context.Background(), s.grown)
	if err != nil {
		return err
	}
	defer reader.Close()
	db, err := sql.Open("sqlite", s.grown)
	if err != nil {
		return err
	}
	defer db.Close()
	var last int64
	if err := db.QueryRow("SELECT max(id) FROM profiling_data").Scan(&last); err != nil {
		return err
	}
	var lookups, slowest []float64
	for i := range int64(reads) {
		var id string
		if err := db.QueryRow("SELECT correlation_id FROM profiling_data WHERE id = ?", 1+last*i/reads).Scan(&id); err != nil {
			return err
		}
		begin := time.Now()
		entries, err := reader.ByCorrelationID(context.Background(), id)
		if lookups = append(lookups, since(begin)); err != nil || len(entries) == 0 {
			return fmt.Errorf("look up %s: %d records, %w", id, len(entries), err)
		}
		begin = time.Now()
		day := time.Now().Add(-time.Duration(i%5+1) * 24 * time.Hour)
		var n int
		err = db.QueryRow(`SELECT count(*) FROM (SELECT name, duration_ms, payload FROM profiling_data
			WHERE project = 'shop' AND timestamp BETWEEN ? AND ? ORDER BY duration_ms DESC LIMIT 100)`,
			day.UnixMicro(), day.Add(24*time.Hour).UnixMicro()).Scan(&n)
		if slowest = append(slowest, since(begin)); err != nil || n != 100 {
			return fmt.Errorf("the slowest: %d records, %w", n, err)
		}
	}
	_, size, err := s.stored(s.grown)
	if err != nil {
		return err
	}
	fmt.Printf("\nOn %d rows, %.1f GiB:\n", last, size/(1<<30))
	for name, times := range map[string][]float64{"look-up by correlation id": lookups, "slowest 100 of a project in a day": slowest} {
		slices.Sort(times)
		fmt.Printf("- %s: median %.2f ms, p99 %.2f ms\n", name, times[reads/2], times[reads*99/100])
	}

	load := scenario{connections: 32, batch: 1, rate: 1000}
	for _, retention := range []string{"168h", "138h"} {
		begin := time.Now()
		p, err := s.run(s.grown, "BITVILLE_RETENTION="+retention, "BITVILLE_LOG_FORMAT=json")
		if err != nil {
			return err
		}
		started := since(begin)
		var purged struct {
			Rows  int     `json:"rows_deleted"`
			Bytes int     `json:"bytes_given_back"`
			MS    float64 `json:"duration_ms"`
		}
		if retention != "168h" {
			load.until = func() bool { return p.said("purge", &purged) }
		}
		out, err := post(s, load, 10*time.Second)
		p.stop()
		if err != nil {
			return err
		}
		if load.until == nil {
			fmt.Printf("- from the start to the first answer: %.0f ms\n- %.0f records a second: p99 %.1f ms, %d of %d refused\n", started, load.rate, out.P99, out.Failed, out.Requests)
		} else {
			fmt.Printf("- the same while %d rows are purged, %.0f rows a second, %d bytes given back: p99 %.1f ms, %d of %d refused\n",
				purged.Rows, float64(purged.Rows)/purged.MS*1000, purged.Bytes, out.P99, out.Failed, out.Requests)
		}
	}
	return nil
}

func since(begin time.Time) float64 { return float64(time.Since(begin).Microseconds()) / 1000 }

// said looks for a line in the log, and takes what it says.
func (p *running) said(message string, into any) bool {
	text, _ := os.ReadFile(p.log.Name())
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, `"msg":"`+message+`"`) {
			return json.Unmarshal([]byte(line), into) == nil
		}
	}
	return false
}
