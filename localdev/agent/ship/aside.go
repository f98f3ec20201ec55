package ship

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// errorSuffix ends the name of the file beside a rejected one that says why: a line with the status, then the answer.
const errorSuffix = ".error"

// setAside moves a batch to the folder rejected.
func (s *Shipper) setAside(b *batch, a answer) error {
	path := filepath.Join(s.rejected, b.name())
	if err := s.explain(path, a); err != nil {
		return err
	}
	if err := os.Rename(filepath.Join(s.spool, b.name()), path); err != nil {
		return fmt.Errorf("keep a batch aside: %w", err)
	}
	s.forget(b)
	s.add(&batch{to: b.to, time: b.time, records: b.records, size: b.size, isAside: true})
	s.keep(b, a)
	return nil
}

// writeAside writes records that were rejected from a batch to the folder rejected.
func (s *Shipper) writeAside(to Stream, records [][]byte, a answer) error {
	b := &batch{to: to, time: s.nextTime(), records: len(records), isAside: true}
	if err := s.explain(filepath.Join(s.rejected, b.name()), a); err != nil {
		return err
	}
	if err := s.write(b, records); err != nil {
		return err
	}
	s.keep(b, a)
	return nil
}

// putAside keeps records aside that cannot be sent at all.
func (s *Shipper) putAside(to Stream, records [][]byte, why string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writeAside(to, records, answer{text: []byte(why)})
}

// explain writes the file beside a rejected one, which is not there yet, so that none is there without its reason.
func (s *Shipper) explain(path string, a answer) error {
	text := fmt.Sprintf("%s\n", bytes.TrimSpace(a.text))
	if a.status != 0 {
		text = fmt.Sprintf("%d %s\n%s", a.status, http.StatusText(a.status), text)
	}
	for {
		err := writeFile(path+errorSuffix, []byte(text))
		if err == nil {
			return nil
		}
		if !isFull(err) || !s.dropOldest() {
			return fmt.Errorf("write why records were rejected: %w", err)
		}
	}
}

// keep counts and tells what was kept aside.
func (s *Shipper) keep(b *batch, a answer) {
	s.cfg.Counts.Sent("rejected", b.records)
	s.cfg.Log.Error("records rejected", "status", a.status, "error", a.words(), "file", filepath.Join(s.rejected, b.name()), "records", b.records, "project", b.to.Project)
}

// add takes a batch that has its file into the list.
func (s *Shipper) add(b *batch) {
	if b.isAside {
		s.aside = append(s.aside, b)
	} else {
		s.waiting = append(s.waiting, b)
	}
	s.bytes += b.cost()
}

// write makes the file of a batch of lines.
func (s *Shipper) write(b *batch, lines [][]byte) error {
	var out bytes.Buffer
	s.zip.Reset(&out)
	for _, line := range lines {
		_, _ = s.zip.Write(line) // into memory
		_, _ = s.zip.Write([]byte{'\n'})
	}
	_ = s.zip.Close()
	b.records, b.size = len(lines), int64(out.Len())
	path := filepath.Join(s.spool, b.name())
	if b.isAside {
		path = filepath.Join(s.rejected, b.name())
	}
	for {
		err := writeFile(path, out.Bytes())
		if err == nil {
			break
		}
		if !isFull(err) || !s.dropOldest() {
			return fmt.Errorf("write a batch: %w", err)
		}
	}
	s.add(b)
	return nil
}

// writeFile writes a file whole and synced, or leaves none.
func writeFile(path string, data []byte) (err error) {
	hidden := filepath.Join(filepath.Dir(path), newFile+filepath.Base(path))
	f, err := os.Create(hidden)
	if err != nil {
		return fmt.Errorf("make a file: %w", err)
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(hidden, path)
	}
	if err == nil {
		return syncFolder(filepath.Dir(path))
	}
	_ = os.Remove(hidden)
	return err
}

// bringBack moves what was refused for a key or a URL that is right now back to the spool.
func (s *Shipper) bringBack(to Stream) error {
	for _, b := range append([]*batch(nil), s.aside...) {
		path := filepath.Join(s.rejected, b.name())
		why, err := os.ReadFile(path + errorSuffix)
		status, _, _ := strings.Cut(string(why), " ")
		if err != nil || b.to != to || status != "401" && status != "404" {
			continue
		}
		if err := os.Rename(path, filepath.Join(s.spool, b.name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("bring a batch back: %w", err)
		}
		_ = os.Remove(path + errorSuffix)
		s.cfg.Log.Info("records brought back", "file", filepath.Join(s.spool, b.name()), "records", b.records)
	}
	return s.list()
}

// linesOf returns the records of a batch, by their index in the listener's answer.
func linesOf(body []byte) ([][]byte, error) {
	zip, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("open a batch: %w", err)
	}
	text, err := io.ReadAll(zip)
	if err != nil {
		return nil, fmt.Errorf("open a batch: %w", err)
	}
	var lines [][]byte
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 {
			lines = append(lines, line)
		}
	}
	return lines, nil
}
