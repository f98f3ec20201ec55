package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
)

// me is how messages call the user of this process.
func me(t *testing.T) string {
	t.Helper()
	u, err := user.Current()
	require.NoError(t, err)
	return fmt.Sprintf("%s (uid %s)", u.Username, u.Uid)
}

// tried runs check and serve with the same settings in a folder, under a prefix such as setpriv, and requires that they
// say the same: it returns what keeps serve from starting, "" when nothing does.
func tried(t *testing.T, dir string, prefix []string, env ...string) string {
	t.Helper()
	var said []string
	for _, command := range []string{"check", "serve"} {
		args := append(append([]string{}, prefix...), binary, command)
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = dir
		cmd.Env = append([]string{"BITVILLE_API_KEY_SHOP=" + listenertest.Key, "BITVILLE_LISTEN_ADDR=127.0.0.1:0", "BITVILLE_LOG_FORMAT=json"}, env...)
		log := &listenertest.Log{}
		cmd.Stderr = log
		require.NoError(t, cmd.Start())
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		require.Eventually(t, func() bool {
			if strings.Contains(log.String(), `"msg":"listening"`) {
				_ = cmd.Process.Signal(syscall.SIGTERM)
			}
			return len(ended) == 1
		}, 15*time.Second, 10*time.Millisecond)
		<-ended
		_, errors, _ := strings.Cut(log.String(), "listener: ")
		said = append(said, errors)
	}
	require.Equal(t, said[1], said[0], "check says what serve does")
	return said[0]
}

// What the file system does not allow, check and serve tell in the same line, with whose permission lacks. Symbolic links
// are followed, once.
func TestCheckOfDatabase(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.Mkdir(in("real"), 0o700))
	require.NoError(t, os.WriteFile(in("file"), nil, 0o600))
	for link, target := range map[string]string{"b.db": "real/b.db", "absolute.db": in("real/c.db"), "twice.db": "b.db", "folder": "real", "dangling.db": "none/b.db", "loop.db": "loop.db"} {
		require.NoError(t, os.Symlink(target, in(link)))
	}
	require.NoError(t, os.WriteFile(in("one.db"), nil, 0o600))
	require.NoError(t, os.Link(in("one.db"), in("other.db")))
	require.NoError(t, syscall.Mkfifo(in("fifo"), 0o600))
	for _, folder := range []string{"wal.db-wal", "shm.db-shm", "journal.db-journal"} {
		require.NoError(t, os.Mkdir(in(folder), 0o700))
	}
	for _, c := range []struct{ path, want string }{
		{"b.db", ""},
		{in("b.db"), ""},
		{"absolute.db", ""},
		{"twice.db", ""},
		{"folder/d.db", ""},
		{"dangling.db", "the folder " + in("none") + " is missing: make it for the user " + me(t) + " (mkdir -p " + in("none") + ")"},
		{"none/deep/b.db", "the folder " + in("none") + " is missing: make it for the user " + me(t) + " (mkdir -p " + in("none/deep") + ")"},
		{"loop.db", "loop.db is a symbolic link that leads back to itself: point it to a file"},
		{"file/b.db", in("file") + " is a file where a folder must be"},
		{"real", "is not a regular file but a folder: name a file in it, such as " + in("real/bitville.db")},
		{"one.db", "has 2 names (hard links), each of which would have a WAL of its own and damage the database: remove the others (find " + dir + " -samefile " + in("one.db") + "), or copy the file"},
		{"/dev/null", "is not a regular file"},
		{"fifo", "is not a regular file"},
		{"wal.db", in("wal.db-wal") + " is not a regular file, and SQLite keeps a file of that name beside the database: move it away"},
		{"shm.db", in("shm.db-shm") + " is not a regular file, and SQLite keeps a file of that name beside the database: move it away"},
		{"journal.db", in("journal.db-journal") + " is not a regular file, and SQLite keeps a file of that name beside the database: move it away"},
	} {
		t.Run(c.path, func(t *testing.T) {
			want := c.want
			if want != "" {
				want = "open the database " + c.path + " (BITVILLE_DB_PATH): " + want + "\n"
			}
			require.Equal(t, want, tried(t, dir, nil, "BITVILLE_DB_PATH="+c.path))
		})
	}
	for _, name := range []string{"b.db", "c.db", "d.db"} {
		require.FileExists(t, in("real/"+name))
	}
	_, err := os.Lstat(in("b.db-wal"))
	require.ErrorIs(t, err, os.ErrNotExist, "the WAL is beside the file, not beside the link")
}

// nobody is a prefix that runs a command as another user, who has no privileges.
func nobody(t *testing.T) []string {
	if out, err := exec.Command("setpriv", "--reuid", "nobody", "--clear-groups", "true").CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("must run as root, with setpriv: %s", out)
		}
		t.Skip("SKIP: only root may run a command as another user")
	}
	return []string{"setpriv", "--reuid", "nobody", "--clear-groups"}
}

// The permissions are those of the user that runs it.
func TestCheckAsAnotherUser(t *testing.T) {
	as := nobody(t)
	other, err := user.Lookup("nobody")
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "check") // t.TempDir's parent is root's
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	in := func(name string) string { return filepath.Join(dir, name) }
	copied, err := os.ReadFile(binary)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(in("listener"), copied, 0o755))
	defer func(was string) { binary = was }(binary)
	binary = in("listener")
	require.NoError(t, os.Chmod(dir, 0o755))
	folder := func(name string, mode os.FileMode) {
		require.NoError(t, os.Mkdir(in(name), 0o700))
		require.NoError(t, os.Chmod(in(name), mode))
	}
	folder("open", 0o777)
	folder("closed", 0o700)
	folder("readable", 0o755)
	folder("log", 0o777)
	ca := newTestCA(t, in("ca.pem"))
	ca.issue(t, in("open/pair.pem"), in("open/pair.key"))
	require.NoError(t, os.Chmod(in("open/pair.pem"), 0o644))
	for _, name := range []string{"open/roots.db", "log/b.db-wal"} {
		require.NoError(t, os.WriteFile(in(name), nil, 0o600))
	}
	who := "the user nobody (uid " + other.Uid + ") may not "
	roots := func(mode string) string {
		return " (mode " + mode + ", of the user root (uid 0)): give it to that user, or change its mode\n"
	}
	db := func(path string) string { return "open the database " + in(path) + " (BITVILLE_DB_PATH): " }
	for name, c := range map[string]struct {
		env  []string
		want string
	}{
		"all is right":        {[]string{"BITVILLE_DB_PATH=" + in("open/b.db")}, ""},
		"a folder":            {[]string{"BITVILLE_DB_PATH=" + in("readable/b.db")}, db("readable/b.db") + who + "make files in the folder " + in("readable") + roots("0755")},
		"a folder on the way": {[]string{"BITVILLE_DB_PATH=" + in("closed/x/b.db")}, db("closed/x/b.db") + who + "enter the folder " + in("closed") + roots("0700")},
		"the file":            {[]string{"BITVILLE_DB_PATH=" + in("open/roots.db")}, db("open/roots.db") + who + "read and write the file " + in("open/roots.db") + roots("0600")},
		"the WAL":             {[]string{"BITVILLE_DB_PATH=" + in("log/b.db")}, db("log/b.db") + who + "read and write the file " + in("log/b.db-wal") + roots("0600")},
		"the key": {[]string{"BITVILLE_DB_PATH=" + in("open/b.db"), "BITVILLE_TLS_CERT_PATH=" + in("open/pair.pem"), "BITVILLE_TLS_KEY_PATH=" + in("open/pair.key")},
			"load the certificate (BITVILLE_TLS_CERT_PATH, BITVILLE_TLS_KEY_PATH): " + who + "read the file " + in("open/pair.key") + roots("0600")},
		"the ACME cache": {[]string{"BITVILLE_DB_PATH=" + in("open/b.db"), "BITVILLE_ACME_DOMAINS=a.example", "BITVILLE_ACME_CACHE_DIR=" + in("readable")},
			"open the ACME cache (BITVILLE_ACME_CACHE_DIR): " + who + "make files in the folder " + in("readable") + roots("0755")},
		"a secret": {[]string{"BITVILLE_DB_PATH=" + in("open/b.db"), "BITVILLE_API_KEY_BLOG_FILE=" + in("open/pair.key")},
			"the settings are not right:\n  BITVILLE_API_KEY_BLOG_FILE: the file cannot be read by the user that runs this: give it that user or its group\n"},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, tried(t, dir, as, c.env...)) })
	}
}

// A file system that is read-only says what the systemd unit needs.
func TestCheckOfReadOnlyFileSystem(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "ro", "none", dir).CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("must run as root: %s", out)
		}
		t.Skipf("SKIP: only root may mount a file system: %s", out)
	}
	defer func() { require.NoError(t, exec.Command("umount", dir).Run()) }()
	require.Equal(t, "open the database "+dir+"/b.db (BITVILLE_DB_PATH): the database is read-only: the file system of "+dir+
		" is read-only: mount it for writing; under the systemd unit add ReadWritePaths="+dir+" (systemctl edit bitville-listener)\n",
		tried(t, t.TempDir(), nil, "BITVILLE_DB_PATH="+dir+"/b.db"))
}

// Settings, database, certificate and addresses are told at once, each in one line.
func TestCheckTellsAllAtOnce(t *testing.T) {
	dir := t.TempDir()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer busy.Close()
	datagrams, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	defer datagrams.Close()
	tcp, udp := busy.Addr().String(), datagrams.LocalAddr().String()
	port := func(address string) string { return address[strings.LastIndex(address, ":")+1:] }
	taken := func(network, address, setting string) string {
		return "  listen on " + address + " (" + setting + "): listen " + network + " " + address + ": bind: address already in use; end what has it (ss -lntup 'sport = :" + port(address) + "' tells), or set another port\n"
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "text"), []byte("no database, no certificate"), 0o600))
	env := []string{
		"BITVILLE_DB_PATH=text", "BITVILLE_TLS_CERT_PATH=text", "BITVILLE_TLS_KEY_PATH=text",
		"BITVILLE_LISTEN_ADDR=" + tcp, "BITVILLE_UDP_ADDR=" + udp, "BITVILLE_METRICS_ADDR=203.0.113.1:9464", "BITVILLE_LOG_LEVEL=error",
	}
	rest := "  open the database text (BITVILLE_DB_PATH): the file is not a database\n" +
		"  load the certificate (BITVILLE_TLS_CERT_PATH, BITVILLE_TLS_KEY_PATH): tls: failed to find any PEM data in certificate input\n" +
		taken("tcp", tcp, "BITVILLE_LISTEN_ADDR") + taken("udp", udp, "BITVILLE_UDP_ADDR") +
		"  listen on 203.0.113.1:9464 (BITVILLE_METRICS_ADDR): listen tcp 203.0.113.1:9464: bind: cannot assign requested address; set an address of this machine (ip addr lists them), or no host for all of them\n"
	require.Equal(t, "the listener cannot start:\n"+rest, tried(t, dir, nil, env...))
	said := tried(t, dir, nil, append(env, "BITVILLE_RETENTION=7d")...)
	require.True(t, strings.HasPrefix(said, "the settings are not right:\n  BITVILLE_RETENTION is \"7d\": "), said)
	require.Contains(t, said, rest)
}

// Beside a listener that serves the database check does not take its addresses for wrong.
func TestCheckBesideAListener(t *testing.T) {
	l := startListener(t, "BITVILLE_METRICS_ADDR=127.0.0.1:0")
	out, err := command(t, l.env("BITVILLE_API_KEY_SHOP="+l.Key, "BITVILLE_LISTEN_ADDR="+strings.TrimPrefix(l.URL, "https://")), "check")
	require.NoError(t, err, out)
	require.Contains(t, out, "a listener serves the database now")
	require.Contains(t, out, "all is right\n")
	status, answer := l.Post(strings.NewReader(phpRecord(1)))
	require.Equal(t, 200, status, answer)
}

// A key with a passphrase, and a certificate that has ended.
func TestCheckOfCertificate(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	newTestCA(t, in("ca.pem")).issue(t, in("pair.pem"), in("pair.key"))
	require.NoError(t, os.WriteFile(in("locked.key"), []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n"), 0o600))
	require.Equal(t, "load the certificate (BITVILLE_TLS_CERT_PATH, BITVILLE_TLS_KEY_PATH): the key locked.key has a passphrase: take it off (openssl pkey -in locked.key -out <new file>)\n",
		tried(t, dir, nil, "BITVILLE_DB_PATH=b.db", "BITVILLE_TLS_CERT_PATH=pair.pem", "BITVILLE_TLS_KEY_PATH=locked.key"))
	require.Empty(t, tried(t, dir, nil, "BITVILLE_DB_PATH=b.db", "BITVILLE_TLS_CERT_PATH=pair.pem", "BITVILLE_TLS_KEY_PATH=pair.key"))
	require.NoError(t, syscall.Mkfifo(in("fifo"), 0o600))
	require.Equal(t, "load the certificate (BITVILLE_TLS_CERT_PATH, BITVILLE_TLS_KEY_PATH): fifo is not a regular file: name one that holds a PEM\n",
		tried(t, dir, nil, "BITVILLE_DB_PATH=b.db", "BITVILLE_TLS_CERT_PATH=pair.pem", "BITVILLE_TLS_KEY_PATH=fifo"))
}

// A limit of open files that is too low is told at the start.
func TestDescriptorLimitIsTold(t *testing.T) {
	said := regexp.MustCompile(`the limit of open files is below what BITVILLE_MAX_CONNECTIONS needs.*"limit":256,"needed":4160,"max_connections":4096`)
	for limit, want := range map[string]bool{"256": true, "8192": false} {
		cmd := exec.Command("bash", "-c", "ulimit -n "+limit+" && exec "+binary+" check")
		cmd.Env = []string{"BITVILLE_API_KEY_SHOP=" + listenertest.Key, "BITVILLE_DB_PATH=" + filepath.Join(t.TempDir(), "b.db"), "BITVILLE_LISTEN_ADDR=127.0.0.1:0"}
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Equal(t, want, said.Match(out), "%s", out)
	}
}

// A project's key may stand in a file, as container platforms hand it out.
func TestKeyFromAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "shop_key")
	require.NoError(t, os.WriteFile(file, []byte(listenertest.Key+"\n"), 0o600))
	l := startListener(t, "BITVILLE_API_KEY_SHOP=", "BITVILLE_API_KEY_SHOP_FILE="+file)
	status, answer := l.Post(strings.NewReader(phpRecord(1)))
	require.Equal(t, 200, status, answer)
	l.Key = file
	status, _ = l.Post(strings.NewReader(phpRecord(2)))
	require.Equal(t, 401, status)
}
