package sqlite

import (
	"fmt"

	"github.com/klauspost/compress/zstd"

	"github.com/bitville/listener/shared/record"
)

// compressFrom is the length in bytes of a payload from which on it is stored compressed. To compress a shorter one
// takes as long as writing what is saved; a profile of 150 KB becomes a fifth, and is stored in less time.
const compressFrom = 4 << 10

// packer compresses payloads, and opens them again. It may be used from any goroutine.
type packer struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

func newPacker() (*packer, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return nil, err
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(record.MaxBody))
	return &packer{encoder, decoder}, err
}

// pack returns the zstd frame that a payload is stored as, nil when it is stored as it is.
func (p *packer) pack(payload []byte) []byte {
	if len(payload) < compressFrom {
		return nil
	}
	return p.encoder.EncodeAll(payload, make([]byte, 0, len(payload)/4))
}

// unpack returns the payload of a row: TEXT as it is, a BLOB opened.
func (p *packer) unpack(stored any) (string, error) {
	switch stored := stored.(type) {
	case string:
		return stored, nil
	case []byte:
		payload, err := p.decoder.DecodeAll(stored, nil)
		if err != nil {
			return "", fmt.Errorf("open a compressed payload: %w", err)
		}
		return string(payload), nil
	}
	return "", fmt.Errorf("a payload is neither TEXT nor BLOB but %T", stored)
}
