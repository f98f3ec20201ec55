package tail

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// position is how far a file was read.
type position struct {
	Name   string     `json:"name"`
	ID     string     `json:"id"`
	Offset int64      `json:"offset"`
	Head   string     `json:"head,omitempty"`       // hash of its first bytes
	HeadOf int        `json:"head_bytes,omitempty"` // how many
	Held   [][2]int64 `json:"held,omitempty"`       // entries before Offset that were not done

	file    File
	there   bool
	isLast  bool // no file is newer
	changed time.Time
}

// stored is the content of the positions' file.
type stored struct {
	Files []*position `json:"files"`
}

// load returns nil when there was no process before this one.
func load(path string) ([]*position, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the positions in the log: %w", err)
	}
	var s stored
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("%s does not hold positions in a log (%w): remove it, and the log is read from its end (--from)", path, err)
	}
	if s.Files == nil {
		s.Files = []*position{}
	}
	return s.Files, nil
}

// Save stores that all entries that Next has returned are done, but for those that are held. It is on disk when it
// returns.
func (f *Follower) Save(held []Item) error {
	if len(f.again) > 0 {
		return nil // what was held is not all read again: the positions of before stand
	}
	for _, p := range f.known {
		p.Held = nil
	}
	for _, item := range held {
		item.file.Held = append(item.file.Held, [2]int64{item.Offset, item.end})
	}
	text, err := json.Marshal(stored{append([]*position{}, f.known...)})
	if err != nil {
		return fmt.Errorf("store the positions in the log: %w", err)
	}
	next := filepath.Join(filepath.Dir(f.cfg.Path), "."+filepath.Base(f.cfg.Path))
	if err = write(next, text); err == nil {
		err = os.Rename(next, f.cfg.Path)
	}
	if err != nil {
		return fmt.Errorf("store the positions in the log: %w", err)
	}
	return nil
}

func write(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Sync(), file.Close())
}
