// Package torture holds the listener to its word: that what it has acknowledged is stored, once, whatever happens to it.
// Its tests run the built binary, and hold the database against what its clients were told.
//
// `make test` runs the short form of each, `make torture` the long one.
package torture

import (
	"flag"
	"os"
	"testing"

	"github.com/bitville/listener/localdev/listenertest"
)

var (
	binary string // the built listener, with the build tag torture; see power_test.go
	long   = flag.Bool("long", false, "run the long form, which takes an hour or two")
)

func TestMain(m *testing.M) { os.Exit(listenertest.Main(m, &binary, "torture")) }

// times returns how often the short form does what the long one does so many times.
func times(short, inLong int) int {
	if *long {
		return inLong
	}
	return short
}
