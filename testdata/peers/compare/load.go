package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// result is one measurement.
type result struct {
	rate     float64 // records that were answered with 200, a second
	p50, p99 float64 // milliseconds
	cpu      float64 // microseconds of the server's, a record
	written  float64 // bytes to disk for a byte of body
	disk     float64 // bytes of the database for a byte of body
	peak     float64 // MB
}

// sent is what a load reports.
type sent struct {
	Requests, Failed int
	Seconds          float64
	P50, P99         float64 // milliseconds
	body             float64 // bytes of all bodies
}

// measure runs one server under one load, and holds its rows against what was acknowledged.
func measure(s server, load scenario, dir string, duration time.Duration) (r result, err error) {
	work, err := os.MkdirTemp(dir, "run-")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(work)
	database := cmp.Or(s.grown, filepath.Join(work, "bitville.db"))
	before, sizeBefore, err := s.stored(database)
	if err != nil {
		return r, err
	}
	p, err := s.run(database)
	if err != nil {
		return r, err
	}
	from, err := p.usage()
	if err != nil {
		return r, err
	}
	send := wrk
	if load.gzip || load.wire != nil {
		send = post
	}
	out, err := send(s, load, duration)
	to, usageErr := p.usage()
	p.stop()
	if err = errors.Join(err, usageErr); err != nil {
		return r, err
	}
	if out.Failed > 0 && !load.refused {
		return r, fmt.Errorf("%d of %d requests failed", out.Failed, out.Requests)
	}
	records := (out.Requests - out.Failed) * load.batch
	after, size, err := s.stored(database)
	// Those that were under way at the end may be stored and not counted.
	if more := after - before - records; err == nil && s.count != "" && (more < 0 || more > load.connections*load.batch) {
		err = fmt.Errorf("%d records were acknowledged, and %d are there", records, after-before)
	}
	return result{
		rate: float64(records) / out.Seconds, p50: out.P50, p99: out.P99,
		cpu:     float64((to.cpu - from.cpu).Microseconds()) / float64(records),
		written: (to.written - from.written) / out.body, disk: (size - sizeBefore) / out.body, peak: to.peakMB,
	}, err
}

// stored returns how many records a server has, and the bytes of its database.
func (s server) stored(database string) (rows int, size float64, err error) {
	if _, err := os.Stat(database); err != nil || s.count == "" {
		return 0, 0, nil
	}
	db, err := sql.Open("sqlite", database)
	if err != nil {
		return 0, 0, err
	}
	defer db.Close()
	const pages = "(SELECT page_count FROM pragma_page_count) - (SELECT freelist_count FROM pragma_freelist_count)"
	return rows, size, db.QueryRow("SELECT ("+s.count+"), ("+pages+") * (SELECT page_size FROM pragma_page_size)").Scan(&rows, &size)
}

// wrk sends as many requests as are answered; or at a rate, whatever is answered, over connections that each wait for
// random times between two requests, much longer than an answer takes.
func wrk(s server, load scenario, duration time.Duration) (out sent, err error) {
	cmd := exec.Command("wrk", "-t1", fmt.Sprint("-c", load.connections), fmt.Sprint("-d", duration.Seconds(), "s"), "-s", "testdata/peers/load/records.lua", s.url())
	cmd.Env = append(os.Environ(), "KEY="+key, fmt.Sprint("BATCH=", load.batch))
	if load.rate > 0 {
		cmd.Env = append(cmd.Env, fmt.Sprint("PAUSE=", 1000*float64(load.connections)/load.rate))
	}
	if load.page != "" {
		cmd.Env = append(cmd.Env, "PAGE="+load.page)
	}
	profile := 1850
	if load.profile != "" {
		cmd.Env = append(cmd.Env, "PROFILE="+load.profile)
		info, err := os.Stat(load.profile)
		if err != nil {
			return out, err
		}
		profile = int(info.Size())
	}
	text, err := cmd.CombinedOutput()
	_, line, ok := strings.Cut(string(text), "RESULT ")
	if err != nil || !ok {
		return out, fmt.Errorf("wrk: %w: %s", err, text)
	}
	if err := json.NewDecoder(strings.NewReader(line)).Decode(&out); err != nil {
		return out, err
	}
	out.body = float64(out.Requests*load.batch) * float64(profile+220) // the fields beside the profile
	return out, nil
}

// post sends at a rate, or as many as are answered. A request's time begins when it was due, so that one that had to
// wait for another counts its wait.
func post(s server, load scenario, duration time.Duration) (out sent, err error) {
	profile := smallProfile()
	if load.profile != "" {
		if profile, err = os.ReadFile(load.profile); err != nil {
			return out, err
		}
	}
	var mu sync.Mutex
	var times []float64
	var failed, received atomic.Int64
	begin := time.Now()
	next := make(chan time.Time)
	go func() {
		defer close(next)
		for n := 0; ; n++ {
			due := time.Now()
			if load.rate > 0 {
				due = begin.Add(time.Duration(float64(n) / load.rate * float64(time.Second)))
				time.Sleep(time.Until(due))
			}
			if time.Since(begin) > duration || load.until != nil && n%100 == 0 && load.until() {
				return
			}
			next <- due
		}
	}()
	var all sync.WaitGroup
	for range load.connections {
		all.Go(func() {
			var packed bytes.Buffer
			w, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed)
			for due := range next {
				sent := request{"/ingest/php", "application/json", nil}
				if load.wire != nil {
					sent, due = load.wire(), time.Now()
				} else {
					sent.body = one(profile)
				}
				body := sent.body
				req, _ := http.NewRequestWithContext(context.Background(), http.MethodPost, s.url()+sent.path, nil)
				req.Header.Set("Authorization", "Bearer "+key)
				req.Header.Set("Content-Type", sent.contentType)
				received.Add(int64(len(body)))
				if load.gzip {
					packed.Reset()
					w.Reset(&packed)
					_, _ = w.Write(body)
					_ = w.Close()
					req.Header.Set("Content-Encoding", "gzip")
					body, due = packed.Bytes(), time.Now() // what this program compressed is not the server's time
				}
				req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
				res, err := client.Do(req)
				if err != nil {
					failed.Add(1)
					continue
				}
				readAll(res.Body)
				if res.StatusCode != http.StatusOK {
					failed.Add(1)
				}
				mu.Lock()
				times = append(times, float64(time.Since(due).Microseconds())/1000)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	out = sent{Requests: len(times), Failed: int(failed.Load()), Seconds: time.Since(begin).Seconds(), body: float64(received.Load())}
	if slices.Sort(times); len(times) > 0 {
		out.P50, out.P99 = times[len(times)/2], times[len(times)*99/100]
	}
	return out, nil
}

func uuid() string {
	var id [16]byte
	_, _ = rand.Read(id[:])
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
}

func one(profile []byte) []byte {
	return fmt.Appendf(nil, `{"project":"shop","correlation_id":"%s","timestamp":%d,"duration_ms":17.5,"request_uri":"/product/7","profiling_data":%s}`, uuid(), time.Now().Unix(), profile)
}

func smallProfile() []byte {
	var edges []string
	for e := range 38 {
		edges = append(edges, fmt.Sprintf(`"Shop\\M%d\\C%d::f%d==>g%d":{"ct":%d,"wt":%d}`, e%16, e, e*7%97, e, e%7+1, e*7919%99999))
	}
	return []byte("{" + strings.Join(edges, ",") + "}")
}

// writeLarge makes a profile of 150 KB, of 1,100 edges as a framework's page has.
func writeLarge(path string) error {
	var edges []string
	for e := range 1100 {
		edges = append(edges, fmt.Sprintf(`"Symfony\\Component\\M%d\\Handler%d::handle%d==>Doctrine\\ORM\\Query%d::execute%d":{"ct":%d,"wt":%d,"cpu":%d,"mu":%d,"pmu":%d}`,
			e%23, e%41, e%97, e%67, e, e%9+1, e*7919%99999, e*104729%99999, e*1299709%9999999, e*15485863%9999999))
	}
	return os.WriteFile(path, []byte("{"+strings.Join(edges, ",")+"}"), 0o600)
}
