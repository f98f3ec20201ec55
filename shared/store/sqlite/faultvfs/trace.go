package faultvfs

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// Kind is what SQLite did with a file.
type Kind byte

const (
	Write    Kind = 'w'
	Truncate Kind = 't'
	Syncing  Kind = 's' // a sync begins: it may cover what was written until here, and nothing that comes
	Synced   Kind = 'S' // it has succeeded
	Delete   Kind = 'd'
	// SyncedFolder says that the folder has been synced, with the names that were there when the sync began: SQLite does that with
	// the first sync of a log or journal.
	SyncedFolder Kind = 'f'
)

// Op is one step of SQLite's, recorded once it was done.
type Op struct {
	Kind   Kind
	File   string    // its path
	Offset int64     // in bytes; of Truncate the new size
	Sync   uint64    // what tells the syncs that overlap apart
	Data   []byte    // of Write
	At     time.Time // in microseconds
	End    int64     // of the op in the trace: how many bytes the trace had when it was done
}

// A trace is a file of ops: the kind, the length of the file's name and of the data as 32 bits, offset, sync and time as 64
// bits, all big-endian, the name, the data.
const opHeader = 1 + 2*4 + 3*8

func (op *Op) encode() []byte {
	b := make([]byte, 0, opHeader+len(op.File)+len(op.Data))
	b = append(b, byte(op.Kind))
	b = binary.BigEndian.AppendUint32(b, uint32(len(op.File)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(op.Data)))
	b = binary.BigEndian.AppendUint64(b, uint64(op.Offset))
	b = binary.BigEndian.AppendUint64(b, op.Sync)
	b = binary.BigEndian.AppendUint64(b, uint64(op.At.UnixMicro()))
	b = append(b, op.File...)
	return append(b, op.Data...)
}

// ReadTrace returns the ops of a trace. One that its process was killed in is left out.
func ReadTrace(path string) ([]Op, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read a trace: %w", err)
	}
	defer f.Close()
	var ops []Op
	var end int64
	for r := bufio.NewReaderSize(f, 1<<20); ; {
		var head [opHeader]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return ops, ignoreEnd(err)
		}
		name := make([]byte, binary.BigEndian.Uint32(head[1:]))
		op := Op{
			Kind:   Kind(head[0]),
			Data:   make([]byte, binary.BigEndian.Uint32(head[5:])),
			Offset: int64(binary.BigEndian.Uint64(head[9:])),
			Sync:   binary.BigEndian.Uint64(head[17:]),
			At:     time.UnixMicro(int64(binary.BigEndian.Uint64(head[25:]))),
		}
		if _, err := io.ReadFull(r, name); err != nil {
			return ops, ignoreEnd(err)
		}
		if _, err := io.ReadFull(r, op.Data); err != nil {
			return ops, ignoreEnd(err)
		}
		end += int64(opHeader + len(name) + len(op.Data))
		op.File, op.End = string(name), end
		ops = append(ops, op)
	}
}

func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return fmt.Errorf("read a trace: %w", err)
}
