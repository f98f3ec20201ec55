// Package postgresagent has the tests of listener agent postgres, which run the built program beside real servers.
package postgresagent

import (
	"os"
	"testing"

	"github.com/bitville/listener/localdev/listenertest"
)

var binary string // the built listener, made once for all tests

func TestMain(m *testing.M) { os.Exit(listenertest.Main(m, &binary)) }
