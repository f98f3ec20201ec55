package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/config"
)

// secretFile writes a file that holds a secret.
func secretFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// Each secret can come from a file, whatever an editor or an echo has put around it.
func TestSecretsFromFiles(t *testing.T) {
	for name, content := range map[string]string{
		"as it is": "%", "a line": "%\n", "a line of Windows": "%\r\n", "a byte order mark": "\xef\xbb\xbf%\n", "blanks": " \t%\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			fill := func(secret string) string { return secretFile(t, strings.ReplaceAll(content, "%", secret)) }
			cfg, warnings, err := config.Load([]string{
				"BITVILLE_API_KEY_SHOP_FILE=" + fill(key1+","+key2), "BITVILLE_API_KEYS_FILE=" + fill(`{"blog":"`+key3+`"}`), "BITVILLE_API_KEYS=",
				"BITVILLE_DB_URL=libsql://db.example", "BITVILLE_DB_AUTH_TOKEN_FILE=" + fill("a.b-c"), "BITVILLE_DB_AUTH_TOKEN=",
			})
			require.NoError(t, err)
			require.Empty(t, warnings)
			require.ElementsMatch(t, append(keysOf("shop", key1, key2), keysOf("blog", key3)...), cfg.Keys)
			require.Equal(t, "a.b-c", string(cfg.DBAuthToken))
		})
	}
	cfg, _, err := config.Load([]string{enough[0], "BITVILLE_API_KEY_SHOP_FILE=" + secretFile(t, key1), "BITVILLE_API_KEY_SHOP="})
	require.NoError(t, err)
	require.Equal(t, keysOf("shop", key1), cfg.Keys)
	cfg, _, err = config.Load([]string{enough[0], "BITVILLE_API_KEY_SHOP=" + key1, "BITVILLE_API_KEY_SHOP_FILE="})
	require.NoError(t, err)
	require.Equal(t, keysOf("shop", key1), cfg.Keys)
	cfg, _, err = config.Load([]string{enough[0], `BITVILLE_API_KEYS={"shop_file":"` + key1 + `"}`})
	require.NoError(t, err, "a project that is called so")
	require.Equal(t, keysOf("shop_file", key1), cfg.Keys)
}

func TestSecretFileProblems(t *testing.T) {
	const none = ": there is no such file: set the path of one that holds the secret; a secret itself is set without _FILE, and a project whose name ends in _file has its keys in BITVILLE_API_KEYS"
	folder := t.TempDir()
	fifo := filepath.Join(folder, "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	require.NoError(t, os.Symlink("loop", filepath.Join(folder, "loop")))
	for _, c := range []struct{ name, set, problem string }{
		{"missing", "BITVILLE_API_KEY_SHOP_FILE=" + folder + "/none", "BITVILLE_API_KEY_SHOP_FILE" + none},
		{"a key", "BITVILLE_API_KEY_SHOP_FILE=" + key1, "BITVILLE_API_KEY_SHOP_FILE" + none},
		{"a long key", "BITVILLE_API_KEY_SHOP_FILE=" + strings.Repeat(key1, 99), "BITVILLE_API_KEY_SHOP_FILE" + none},
		{"in lower case", "BITVILLE_API_KEY_shop_file=" + key1, "BITVILLE_API_KEY_shop_file" + none},
		{"a file on the way", "BITVILLE_API_KEYS_FILE=" + secretFile(t, key1) + "/x", "BITVILLE_API_KEYS_FILE" + none},
		{"a folder", "BITVILLE_API_KEY_SHOP_FILE=" + folder, "BITVILLE_API_KEY_SHOP_FILE: it names a folder: set the path of a file in it"},
		{"no path", "BITVILLE_API_KEY_SHOP_FILE=", "BITVILLE_API_KEY_SHOP_FILE: it is empty: set the path of a file"},
		{"a loop", "BITVILLE_API_KEY_SHOP_FILE=" + folder + "/loop", "BITVILLE_API_KEY_SHOP_FILE: the file cannot be opened: too many levels of symbolic links"},
		{"empty", "BITVILLE_API_KEY_SHOP_FILE=" + secretFile(t, "\n"), "BITVILLE_API_KEY_SHOP_FILE: the file is empty: write the secret into it"},
		{"a pipe that nobody writes", "BITVILLE_API_KEY_SHOP_FILE=" + fifo, "BITVILLE_API_KEY_SHOP_FILE: the file is empty: write the secret into it"},
		{"too big", "BITVILLE_API_KEY_SHOP_FILE=" + secretFile(t, strings.Repeat("x", 1<<20+1)), "BITVILLE_API_KEY_SHOP_FILE: the file is larger than 1048576 bytes: name one that holds the secret alone"},
		{"without end", "BITVILLE_API_KEY_SHOP_FILE=/dev/zero", "BITVILLE_API_KEY_SHOP_FILE: the file is larger than 1048576 bytes: name one that holds the secret alone"},
		{"UTF-16", "BITVILLE_API_KEY_SHOP_FILE=" + secretFile(t, "\xff\xfek\x00"), "BITVILLE_API_KEY_SHOP_FILE: the file is UTF-16: save it as UTF-8, or ASCII"},
		{"two lines", "BITVILLE_API_KEY_SHOP_FILE=" + secretFile(t, key1+"\n"+key2), "BITVILLE_API_KEY_SHOP: a key of project shop holds a character that no header can; use printable ASCII without spaces"},
		{"no project", "BITVILLE_API_KEY_FILE=" + secretFile(t, key1), "BITVILLE_API_KEY_FILE names no project: set BITVILLE_API_KEY_<PROJECT>_FILE or BITVILLE_API_KEYS_FILE to the path of a file; the keys of a project named file are set in BITVILLE_API_KEYS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, warnings, err := config.Load([]string{enough[0], c.set})
			require.EqualError(t, err, c.problem)
			require.Empty(t, warnings)
			requireNoLeak(t, err.Error())
		})
	}
	file := secretFile(t, key2)
	_, _, err := config.Load(with("BITVILLE_API_KEY_SHOP_FILE="+file, "BITVILLE_DB_PATH=", "BITVILLE_DB_URL=libsql://db.example", "BITVILLE_DB_AUTH_TOKEN=a", "BITVILLE_DB_AUTH_TOKEN_FILE="+file))
	require.EqualError(t, err, "BITVILLE_API_KEY_SHOP and BITVILLE_API_KEY_SHOP_FILE are both set: set one of them\n"+
		"BITVILLE_DB_AUTH_TOKEN and BITVILLE_DB_AUTH_TOKEN_FILE are both set: set one of them")

	cfg, _, err := config.LoadCommand([]string{enough[0], "BITVILLE_API_KEY_SHOP_FILE=/none"})
	require.NoError(t, err, "a command needs no keys")
	require.Empty(t, cfg.Keys)
}
