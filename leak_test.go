package listener_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// TestMain fails when a goroutine outlives the tests.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestEveryPackageLooksForGoroutines: the tests of each package fail when a goroutine outlives them.
func TestEveryPackageLooksForGoroutines(t *testing.T) {
	list := exec.Command("go", "list", "-f", "{{if or .TestGoFiles .XTestGoFiles}}{{.Dir}}{{end}}", "./...")
	list.Stderr = os.Stderr
	out, err := list.Output()
	require.NoError(t, err)
	for dir := range strings.FieldsSeq(string(out)) {
		files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		require.NoError(t, err)
		looks := false
		for _, file := range files {
			source, err := os.ReadFile(file)
			require.NoError(t, err)
			looks = looks || bytes.Contains(source, []byte("goleak.VerifyTestMain(m")) || bytes.Contains(source, []byte("listenertest.Main(m"))
		}
		require.True(t, looks, "%s: add a leak_test.go as the other packages have it", dir)
	}
}
