package record

import (
	"encoding/binary"
	"math"

	"github.com/cespare/xxhash/v2"
)

// Seal sets the digest. The digest hashes the whole content of the record, extra fields included: 64 bits that tell,
// under one correlation id, a retry from another record. Each field goes in behind its length, so that no two
// records run together into the same bytes. It need not resist forgery: whoever could forge a collision
// must know the correlation id and the record that it is to displace.
func (r *Record) Seal() {
	var h xxhash.Digest
	h.Reset()
	var word [8]byte
	number := func(n uint64) {
		binary.LittleEndian.PutUint64(word[:], n)
		_, _ = h.Write(word[:])
	}
	for _, s := range []string{r.CorrelationID, r.Project, r.Source, r.Name} {
		number(uint64(len(s)))
		_, _ = h.WriteString(s)
	}
	for _, b := range [][]byte{r.Attributes, r.Payload} {
		number(uint64(len(b)))
		_, _ = h.Write(b)
	}
	number(uint64(r.Timestamp))
	if r.DurationMS == nil {
		number(math.MaxUint64) // a NaN's bits, which no duration has
	} else {
		number(math.Float64bits(*r.DurationMS))
	}
	r.Digest = int64(h.Sum64())
}
