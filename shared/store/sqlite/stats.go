package sqlite

import (
	"context"
	"fmt"
	"os"
	"time"
)

// Stats is what an operator watches of a database.
type Stats struct {
	QueuedRequests int       // inserts that wait for the writer
	QueuedBytes    int64     // of their work and of what is being written: see recordBytes
	WALBytes       int64     // size of the WAL
	DatabaseBytes  int64     // size of the file, without the WAL
	FreeBytes      int64     // that may still be written beside it
	Oldest         time.Time // the earliest timestamp of a record, zero when there is none
}

// Stats returns the figures of this moment.
func (db *DB) Stats(ctx context.Context) (s Stats, err error) {
	s.QueuedRequests, s.QueuedBytes = len(db.writer.jobs), db.writer.bytes.Load()
	s.WALBytes = db.file.walBytes()
	info, err := os.Stat(db.file.path)
	if err != nil {
		return s, fmt.Errorf("look at the database: %w", err)
	}
	s.DatabaseBytes = info.Size()
	if s.FreeBytes, err = db.file.free(); err != nil {
		return s, fmt.Errorf("ask for free space: %w", err)
	}
	if _, s.Oldest, err = db.sources(ctx); err != nil {
		return s, fmt.Errorf("look for the oldest record: %w", err)
	}
	return s, nil
}
