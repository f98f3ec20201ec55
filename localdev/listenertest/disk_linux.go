package listenertest

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// SmallDisk returns a folder on a disk of its own, of a size as tmpfs takes it, such as "24m". Other options follow
// after a comma.
func SmallDisk(t testing.TB, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("mount a small disk: %v", err)
		}
		t.Skipf("SKIP: a small disk can be mounted by root alone (%v): run the tests as root, in a container for instance", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return dir
}
