package ship

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/wire/bitville"
)

func gzipped(t testing.TB, text string) string {
	t.Helper()
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	_, err := zip.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, zip.Close())
	return out.String()
}

// TestTake: the records of files are taken by the files' names and the records' projects, and the files are deleted.
func TestTake(t *testing.T) {
	const shop, blog = `{"project":"Shop","n":1}`, `{"n":2,"project":"blog"}`
	whole := gzipped(t, shop+"\n"+blog+"\n")
	long := `{"project":"shop","n":"` + strings.Repeat("a", record.MaxBytes) + `"}`
	for _, c := range []struct {
		name, file, content string
		sent                []string // each behind its path
		left                bool     // until it is a minute old
		late                []string // what is sent then
		aside               string
		dropped             string
	}{
		{name: "plain", file: "a.php.ndjson", content: shop + "\n", sent: []string{"php " + shop}},
		{name: "gzip", file: "a.php.ndjson.gz", content: whole, sent: []string{"php " + shop, "php " + blog}},
		{name: "gzip of members", file: "a.php.ndjson.gz", content: gzipped(t, shop+"\n") + gzipped(t, blog+"\n"), sent: []string{"php " + shop, "php " + blog}},
		{name: "the other agent's", file: "a.postgres.ndjson", content: "\n" + shop + "\r\n\n" + blog + "\n", sent: []string{"postgres " + shop, "postgres " + blog}},
		{name: "a name as the relay's own", file: "1763843023000000-1-shop.php.ndjson.gz", content: whole, sent: []string{"php " + shop, "php " + blog}},
		{name: "empty", file: "a.php.ndjson", content: "", left: true},
		{name: "without its last line end", file: "a.php.ndjson", content: shop, left: true, late: []string{"php " + shop}},
		{name: "within a record", file: "a.php.ndjson", content: shop + "\n" + blog[:9], left: true, late: []string{"php " + shop}, dropped: "damaged"},
		{name: "within gzip", file: "a.php.ndjson.gz", content: whole[:len(whole)-3], left: true, late: []string{"php " + shop, "php " + blog}, dropped: "damaged"},
		{name: "no gzip", file: "a.php.ndjson.gz", content: shop + "\n", left: true, dropped: "damaged"},
		{name: "too long a line", file: "a.php.ndjson", content: shop + "\n" + long + "\n" + blog + "\n", sent: []string{"php " + shop, "php " + blog}, dropped: "too_large"},
		{name: "no records", file: "a.php.ndjson", content: "noise\n" + shop + "\n{}\n", sent: []string{"php " + shop}, aside: "noise\n{}\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newListener(t)
			h := newHarness(t, l)
			dir := t.TempDir()
			path := filepath.Join(dir, c.file)
			require.NoError(t, os.WriteFile(path, []byte(c.content), 0o660))
			sent := func() (all []string) {
				for _, r := range l.got() {
					for _, line := range r.lines {
						all = append(all, strings.TrimPrefix(r.path, "/ingest/")+" "+line)
					}
				}
				return all
			}
			h.run(t)
			records, left, err := h.Take(dir)
			require.NoError(t, err)
			if c.left {
				require.Zero(t, records)
				require.EqualValues(t, len(c.content), left)
				require.FileExists(t, path)
				h.clock.add(patience)
				_, left, err = h.Take(dir)
				require.NoError(t, err)
			}
			require.Zero(t, left)
			require.NoFileExists(t, path)
			require.NoError(t, h.Drain(t.Context()))
			require.ElementsMatch(t, append(c.sent, c.late...), sent())
			if c.aside != "" {
				name, text := h.only(t, "rejected", ".gz")
				require.Equal(t, c.aside, text)
				_, why := h.only(t, "rejected", name+".error")
				require.True(t, strings.HasPrefix(why, "not sent: invalid JSON at byte 1"), why)
				require.Len(t, h.logged(t, "records rejected"), 1)
			} else {
				require.Empty(t, h.files(t, "rejected"))
			}
			if c.dropped != "" {
				require.Equal(t, 1, h.counts.get("dropped "+c.dropped))
			}
		})
	}
}

// FuzzLines: whatever a file holds, each record that is read of it is one of its lines, and names its project.
func FuzzLines(f *testing.F) {
	for _, seed := range []string{"", "{}", `{"project":"shop"}`, "{\"project\":\"shop\"}\n\n{\"project\":7}\r\nnoise\n{\"project\":\"b"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got := newTaken()
		err := got.readLines(bytes.NewReader(data), "php")
		n := 0
		for to, lines := range got.records {
			n += len(lines)
			for _, line := range lines {
				require.True(t, bytes.Contains(data, line))
				require.False(t, bytes.ContainsRune(line, '\n'))
				project, wrong := bitville.Project(line)
				require.Equal(t, to.Project == nobody, wrong != nil)
				require.True(t, wrong != nil || project == to.Project)
			}
		}
		require.Equal(t, got.read, n)
		require.Equal(t, len(data) == 0 || data[len(data)-1] != '\n', err != nil)
	})
}

// TestTakeLeaves: what is not a file of records, or not yet, is left alone.
func TestTakeLeaves(t *testing.T) {
	h := newHarness(t, newListener(t))
	dir, secret := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("secret\n"), 0o600))
	for _, name := range []string{".a.php.ndjson", "a.php.ndjson.tmp", "a.ruby.ndjson", "readme"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(`{"project":"shop"}`+"\n"), 0o600))
	}
	require.NoError(t, os.Symlink(secret, filepath.Join(dir, "link.php.ndjson")))
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "fifo.php.ndjson"), 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "folder.php.ndjson"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "z.php.ndjson"), []byte(`{"project":"shop"}`+"\n"), 0o600))
	records, _, err := h.Take(dir)
	require.Equal(t, 1, records, "those behind are taken")
	require.ErrorContains(t, err, "link.php.ndjson")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 7)
	_, _, err = h.Take(filepath.Join(dir, "none"))
	require.ErrorContains(t, err, "the folder "+filepath.Join(dir, "none")+" is missing")
}

// TestTakeWaits: what does not fit into the spool stays where it is.
func TestTakeWaits(t *testing.T) {
	l := newListener(t)
	h := newHarness(t, l, func(cfg *Config) { cfg.MaxBytes = 1 << 20 })
	dir := t.TempDir()
	for n := range 60 {
		name := time.Now().Add(time.Duration(n)).Format("150405.000000000") + ".php.ndjson"
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), append(noise(n, 40<<10), '\n'), 0o600))
	}
	var err error
	for err == nil {
		_, _, err = h.Take(dir)
		entries, readErr := os.ReadDir(dir)
		require.NoError(t, readErr)
		require.NotEmpty(t, entries)
	}
	require.ErrorIs(t, err, ErrFull)
	_, left, _ := h.Take(dir)
	require.Greater(t, left, int64(40<<10), "what waits is known")
	h.run(t)
	eventually(t, func() bool {
		_, _, _ = h.Take(dir)
		entries, err := os.ReadDir(dir)
		return err == nil && len(entries) == 0
	}, "all are taken when there is room")
	require.NoError(t, h.Drain(t.Context()))
	distinct := map[string]bool{}
	for _, line := range l.lines() {
		distinct[line] = true
	}
	require.Len(t, distinct, 60)
}
