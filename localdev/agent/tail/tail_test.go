package tail

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/agent/pglog"
)

// bench is a folder with a log, and a clock that tests move.
type bench struct {
	t      testing.TB
	dir    string
	format string
	from   bool
	now    time.Time
	f      *Follower
	line   int
}

func newBench(t testing.TB, format string) *bench {
	b := &bench{t: t, dir: t.TempDir(), format: format, from: true, now: time.Now()}
	b.start()
	t.Cleanup(func() { b.f.Close() })
	return b
}

// start makes a Follower, as a process does that starts anew.
func (b *bench) start() {
	b.t.Helper()
	if b.f != nil {
		b.f.Close()
	}
	var err error
	b.f, err = Follow(Config{Open: OpenLocal(b.dir, b.format), Prefix: "%m [%p] ", Path: filepath.Join(b.dir, "positions"), FromStart: b.from, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return b.now }})
	require.NoError(b.t, err)
}

// entry is the next one that is logged.
func (b *bench) entry() string {
	b.line++
	if b.format == "stderr" {
		return fmt.Sprintf("2026-11-28 01:10:13.667 UTC [1] LOG:  %d\n\tmore\n2026-11-28 01:10:13.667 UTC [1] CONTEXT:  c%[1]d\n", b.line)
	}
	return fmt.Sprintf("{\"timestamp\":\"2026-11-28 01:10:13.667 UTC\",\"message\":\"%d\\nmore\",\"context\":\"c%[1]d\"}\n", b.line)
}

func (b *bench) append(name, text string) {
	b.t.Helper()
	f, err := os.OpenFile(filepath.Join(b.dir, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(b.t, err)
	_, err = f.WriteString(text)
	require.NoError(b.t, err)
	require.NoError(b.t, f.Close())
}

// next returns the numbers of the entries that come, until none comes.
func (b *bench) next() (lines []string, items []Item) {
	b.t.Helper()
	for {
		some, err := b.f.Next(b.t.Context())
		require.NoError(b.t, err)
		if len(some) == 0 {
			return lines, items
		}
		for _, item := range some {
			number, more, _ := strings.Cut(item.Message, "\n")
			require.Equal(b.t, "more c"+number, more+" "+item.Context)
			lines, items = append(lines, number), append(items, item)
		}
	}
}

func (b *bench) expect(want ...string) []Item {
	b.t.Helper()
	lines, items := b.next()
	require.Equal(b.t, want, lines)
	return items
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func TestFollow(t *testing.T) {
	b := newBench(t, "jsonlog")
	b.expect()
	b.append("1.json", b.entry()+b.entry())
	b.expect("1", "2")
	half := b.entry()
	b.append("1.json", half[:20])
	b.expect()
	b.append("1.json", half[20:])
	b.expect("3")
	require.NoError(t, b.f.Save(nil))

	// Two rotations between two looks, with entries in each.
	b.append("1.json", b.entry())
	b.append("2.json", b.entry())
	b.append("3.json", b.entry())
	b.append("other.csv", "x\n")
	b.expect("4", "5", "6")

	// Killed before Save: again, and nothing else.
	b.start()
	b.expect("4", "5", "6")
	require.NoError(t, b.f.Save(nil))
	b.start()
	b.expect()
	require.Zero(t, b.f.Behind())
}

func TestReplacedFiles(t *testing.T) {
	for _, c := range []struct {
		name string
		move func(b *bench)
	}{
		{"truncated", func(b *bench) { require.NoError(t, os.Truncate(b.path("1.json"), 0)) }},
		{"removed", func(b *bench) { require.NoError(t, os.Remove(b.path("1.json"))) }},
		{"renamed", func(b *bench) { require.NoError(t, os.Rename(b.path("1.json"), b.path("1.json.1"))) }},
		{"copied and truncated", func(b *bench) {
			text, err := os.ReadFile(b.path("1.json"))
			require.NoError(t, err)
			b.append("1.json.1", string(text))
			require.NoError(t, os.Truncate(b.path("1.json"), 0))
		}},
	} {
		for _, away := range []bool{false, true} {
			t.Run(fmt.Sprint(c.name, ", away: ", away), func(t *testing.T) {
				b := newBench(t, "jsonlog")
				b.append("1.json", b.entry()+b.entry()+b.entry())
				b.expect("1", "2", "3")
				require.NoError(t, b.f.Save(nil))
				c.move(b)
				if away { // it has grown past the old offset meanwhile
					b.append("1.json", b.entry()+b.entry()+b.entry()+b.entry())
					b.start()
					b.expect("4", "5", "6", "7")
					return
				}
				b.expect()
				b.append("1.json", b.entry())
				b.expect("4")
			})
		}
	}
}

// TestRotatedWithARest: what was written behind the last look into a file that is then renamed or removed is read first.
func TestRotatedWithARest(t *testing.T) {
	for name, move := range map[string]func(b *bench) error{
		"renamed": func(b *bench) error { return os.Rename(b.path("1.json"), b.path("1.json.old")) },
		"removed": func(b *bench) error { return os.Remove(b.path("1.json")) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, "jsonlog")
			b.append("1.json", b.entry())
			b.expect("1")
			require.NoError(t, b.f.Save(nil))
			b.append("1.json", b.entry())
			require.NoError(t, move(b))
			b.append("1.json", b.entry())
			b.expect("2", "3")
			if name == "renamed" { // also by the process that starts after a kill
				b.start()
				b.expect("2", "3")
			}
		})
	}
}

func TestFirstStart(t *testing.T) {
	b := newBench(t, "jsonlog")
	b.from = false
	b.append("1.json", b.entry())
	b.start()
	b.expect()
	require.NoError(t, b.f.Save(nil))
	b.append("1.json", b.entry())
	b.append("2.json", b.entry())
	b.start() // the end is that of the first start
	b.expect("2", "3")

	require.NoError(t, os.WriteFile(b.path("positions"), []byte("no"), 0o600))
	_, err := Follow(Config{Path: b.path("positions")})
	require.ErrorContains(t, err, "does not hold positions in a log")
}

// TestHeld: an entry that waited when the process ended is read again, and its neighbours are not.
func TestHeld(t *testing.T) {
	b := newBench(t, "jsonlog")
	b.append("1.json", b.entry()+b.entry()+b.entry())
	b.append("2.json", b.entry()+b.entry())
	items := b.expect("1", "2", "3", "4", "5")
	require.NoError(t, b.f.Save([]Item{items[1], items[3]}))
	b.start()
	b.append("2.json", b.entry())
	again := b.expect("2", "4", "6")
	require.NoError(t, b.f.Save(again[:1]))
	b.start()
	b.expect("2")
	require.NoError(t, b.f.Save(nil))
	b.start()
	b.expect()
}

// TestStderrEnds: an entry ends when the next begins, when the log went on in another file, or when nothing has come for
// long.
func TestStderrEnds(t *testing.T) {
	b := newBench(t, "stderr")
	first := b.entry()
	at := strings.Index(first, "2026-11-28 01:10:13.667 UTC [1] CONTEXT")
	b.append("1.log", first[:at])
	b.expect()
	b.now = b.now.Add(settled)
	b.expect()
	b.append("1.log", first[at:])
	b.expect()
	b.append("1.log", b.entry())
	b.expect("1")
	b.now = b.now.Add(quiet)
	b.expect("2")
	b.append("1.log", b.entry())
	b.append("2.log", b.entry()+b.entry())
	b.expect() // the old file first
	b.now = b.now.Add(settled)
	b.expect("3", "4")
}

// TestAnything writes, rotates and truncates at random, while the agent is killed at random: every entry that was still
// there is read, and none twice but those after the last Save.
func TestAnything(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		b := newBench(t, []string{"jsonlog", "stderr"}[seed%2])
		suffix := pglog.Suffix(b.format)
		seen := map[string]int{}
		var since []string // the last Save
		take := func() {
			lines, _ := b.next()
			for _, line := range lines {
				seen[line]++
			}
			since = append(since, lines...)
		}
		file, half := 1, ""
		for range 200 {
			name := fmt.Sprintf("%03d%s", file, suffix)
			switch r.IntN(9) {
			case 0, 1, 2:
				text := half + b.entry()
				half = text[r.IntN(len(text)):]
				b.append(name, text[:len(text)-len(half)])
			case 3: // the collector rotates between two entries
				b.append(name, half)
				half = ""
				file++
			case 4, 5:
				take()
			case 6:
				take()
				require.NoError(t, b.f.Save(nil))
				since = nil
			case 7:
				b.start()
				for _, line := range since { // they come again
					seen[line]--
				}
				since = nil
			case 8:
				b.now = b.now.Add(settled)
			}
		}
		b.append(fmt.Sprintf("%03d%s", file, suffix), half)
		take()
		for range 3 {
			b.now = b.now.Add(quiet)
			take()
		}
		for line := 1; line <= b.line; line++ {
			require.Equal(t, 1, seen[fmt.Sprint(line)], "seed %d, entry %d", seed, line)
		}
	}
}
