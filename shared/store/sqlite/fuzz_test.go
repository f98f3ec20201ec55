package sqlite

import (
	"testing"

	"github.com/bitville/listener/shared/store/storetest"
)

// FuzzStored: see storetest.Fuzz. Payloads are read back alike from text and from what they are compressed to.
func FuzzStored(f *testing.F) { storetest.Fuzz(f, open(f)) }
