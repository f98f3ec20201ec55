package access_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/access"
)

func TestResolve(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	in := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.MkdirAll(in("a/b"), 0o700))
	require.NoError(t, os.WriteFile(in("a/file"), nil, 0o600))
	for link, target := range map[string]string{
		"relative": "a/file", "absolute": in("a/file"), "a/b/up": "../file", "chain": "relative", "folder": "a/b", "new": "a/b/new",
		"through": "folder/new", "loop": "loop2", "loop2": "loop", "nowhere": "none/file",
	} {
		require.NoError(t, os.Symlink(target, in(link)))
	}
	for path, want := range map[string]string{
		"a/file": "a/file", "none": "none", "relative": "a/file", "absolute": "a/file", "a/b/up": "a/file", "chain": "a/file",
		"folder/up": "a/file", "folder/x": "a/b/x", "new": "a/b/new", "through": "a/b/new",
	} {
		got, err := access.Resolve(in(path))
		require.NoError(t, err, path)
		require.Equal(t, in(want), got, path)
	}
	_, err = access.Resolve(in("loop"))
	require.EqualError(t, err, in("loop")+" is a symbolic link that leads back to itself: point it to a file")
	_, err = access.Resolve(in("loop/file"))
	require.ErrorIs(t, err, syscall.ELOOP)
	_, err = access.Resolve(in("nowhere"))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, "the folder "+in("none")+" is missing: make it for the user ")
	_, err = access.Resolve(in("a/file/x"))
	require.EqualError(t, err, in("a/file")+" is a file where a folder must be")
}

func TestWhatIsAllowed(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.NoError(t, access.Read(file))
	require.NoError(t, access.Write(file))
	require.NoError(t, access.MakeIn(dir))
	require.EqualError(t, access.MakeIn(file), file+" is a file where a folder must be")
	require.EqualError(t, access.Read(file+"2"), "the file "+file+"2 is missing")
	require.EqualError(t, access.Read(file+"/x"), file+" is a file where a folder must be")
	require.ErrorIs(t, access.Write(file+"2"), os.ErrNotExist)
}
