package pglog

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Prefix is that of testdata/postgres-stderr.log.
const prefix = "%m [%p] %q%u@%d/%a "

// entries cuts a log, given in pieces of the given length, and reads it.
func entries(t testing.TB, format, text string, piece int) (all []Entry, others []string) {
	t.Helper()
	f, err := New(format, prefix)
	require.NoError(t, err)
	var held []byte
	for {
		n := min(piece, len(text))
		held, text = append(held, text[:n]...), text[n:]
		for {
			n := f.Next(held, text == "")
			if n == 0 {
				break
			}
			e, err := f.Parse(held[:n])
			if err == nil {
				all = append(all, e)
			} else {
				require.ErrorIs(t, err, ErrNoEntry)
				others = append(others, string(held[:n]))
			}
			held = held[n:]
		}
		if text == "" {
			require.Empty(t, held)
			return all, others
		}
	}
}

func read(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return string(text)
}

// TestFormatsAgree: what PostgreSQL wrote of the same reports in three formats is the same, entry by entry, whatever the
// pieces in which the log arrives.
func TestFormatsAgree(t *testing.T) {
	for _, piece := range []int{1 << 20, 4096, 7} {
		jsonlog, others := entries(t, "jsonlog", read(t, "postgres-jsonlog.jsonl"), piece)
		require.Empty(t, others)
		require.Len(t, jsonlog, 11)
		csvlog, others := entries(t, "csvlog", read(t, "postgres-csvlog.csv"), piece)
		require.Empty(t, others)
		require.Equal(t, []Entry{jsonlog[4], jsonlog[5], jsonlog[6], jsonlog[8], jsonlog[9]}, logged(csvlog))
		stderr, others := entries(t, "stderr", read(t, "postgres-stderr.log"), piece)
		require.Empty(t, others)
		require.Len(t, stderr, 5)
		for i, e := range stderr {
			want := jsonlog[4+i]
			want.Session, want.Line, want.Transaction, want.Command, want.QueryID, want.State = "25074", "", "", "", "", "" // the prefix has none of these
			require.Equal(t, want, e)
		}
	}
}

// logged drops the SQLSTATE of what succeeded, 00000, which csvlog alone writes.
func logged(all []Entry) []Entry {
	for i := range all {
		if all[i].State == "00000" {
			all[i].State = ""
		}
	}
	return all
}

func TestStderrPrefixes(t *testing.T) {
	for _, c := range []struct {
		prefix, line string
		want         Entry
	}{
		{"%m [%p] %c %l %Q %q%u@%d/%a ", "2026-11-28 01:10:13.667 UTC [25074] 6b0a29f5.61f2 3 -82 app@shop/a b LOG:  x", Entry{User: "app", Database: "shop", Application: "a b", Session: "6b0a29f5.61f2", Line: "3", QueryID: "-82"}},
		{"%m [%p] %c %l %Q %q%u@%d/%a ", "2026-11-28 01:10:13.667 UTC [25074] 6b0a29f5.61f2 3 0 LOG:  x", Entry{Session: "6b0a29f5.61f2", Line: "3"}},
		{"%t:%r:%u@%d:[%p]:", "2026-11-28 01:10:13 UTC:10.0.0.1(4711):app@shop:[25074]:LOG:  x", Entry{User: "app", Database: "shop", Session: "25074"}},
		{"%n %-8p|%6l|%v|%e|%%|%a ", "1795828213.667 25074   |     3|3/779|22012|%|[unknown] LOG:  x", Entry{Session: "25074", Line: "3", Transaction: "3/779", State: "22012"}},
		{"%m %p %i ", "2026-11-28 01:10:13.667 UTC 12 BIND LOG:  x", Entry{Session: "12", Command: "BIND"}},
		{"%m %p %p ", "2026-11-28 02:10:13.667 CET 12 13 LOG:  x", Entry{Session: "12"}},
		{"%m %p ", "2026-11-28 01:10:13.667 UTC 12 LOG:  00000: x", Entry{Session: "12", State: "00000"}},
		{"%m %p ", "2026-11-27 21:40:13.667 -0330 12 LOG:  x", Entry{Session: "12"}},
	} {
		f, err := New("stderr", c.prefix)
		require.NoError(t, err, c.prefix)
		got, err := f.Parse([]byte(c.line + "\n"))
		require.NoError(t, err, c.line)
		require.WithinDuration(t, time.Date(2026, 11, 28, 1, 10, 13, 667e6, time.UTC), got.Time, 667*time.Millisecond)
		c.want.Time, c.want.Severity, c.want.Message = got.Time, "LOG", "x"
		require.Equal(t, c.want, got, c.prefix)
	}
	for prefix, problem := range map[string]string{
		"":       "holds no time: set one with %m",
		"%m ":    "does not tell sessions apart: set one with %c or %p",
		"%m %p%": "ends in a %: give it as postgresql.conf has it",
		"%m %z":  "holds %z, which PostgreSQL does not know",
	} {
		_, err := New("stderr", prefix)
		require.ErrorContains(t, err, problem, prefix)
		require.ErrorContains(t, err, "BITVILLE_POSTGRES_LOG_LINE_PREFIX")
	}
}

func TestZones(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-28 01:10:13.667 UTC":   "2026-11-28T01:10:13.667Z",
		"2026-07-28 01:10:13.667 CEST":  "2026-07-27T23:10:13.667Z",
		"2026-11-28 01:10:13.667 +0530": "2026-11-27T19:40:13.667Z",
		"2026-11-28 01:10:13.667 -03":   "2026-11-28T04:10:13.667Z",
		"2026-11-28 01:10:13 EST":       "2026-11-28T06:10:13Z",
	} {
		at, err := stamp(text)
		require.NoError(t, err, text)
		require.Equal(t, want, at.UTC().Format(time.RFC3339Nano), text)
	}
	for _, text := range []string{"", "2026-11-28", "2026-11-28 01:10:13.667", "yesterday at a quarter past ten UTC"} {
		_, err := stamp(text)
		require.Error(t, err, text)
	}
	_, err := stamp("2026-11-28 01:10:13.667 XYZ")
	require.ErrorIs(t, err, ErrZone)
}

// TestCut: an entry that was cut off is read as far as it goes, and costs its neighbours nothing.
func TestCut(t *testing.T) {
	for format, name := range map[string]string{"jsonlog": "postgres-jsonlog.jsonl", "csvlog": "postgres-csvlog.csv", "stderr": "postgres-stderr.log"} {
		text := read(t, name)
		whole, _ := entries(t, format, text, 1<<20)
		at := strings.Index(text, "Actual Startup") // in the plan of the first
		rest := text[strings.IndexByte(text, '\n')+1:]
		if i := strings.Index(text, "\n2026-11-28"); i > 0 {
			rest = text[i+1:]
		}
		for cut := at; cut < at+30; cut++ {
			got, others := entries(t, format, text[:cut]+"\n"+rest, 1<<20)
			require.Empty(t, others)
			require.Len(t, got, len(whole))
			require.Equal(t, whole[1:], got[1:])
			first := got[0]
			require.Equal(t, whole[0].Session, first.Session)
			require.True(t, strings.HasPrefix(whole[0].Message, strings.TrimRight(first.Message, "\n")), first.Message)
			require.Contains(t, first.Message, "Query Text")
		}
		// The log begins in the middle of an entry: what is left of it is no entry.
		got, others := entries(t, format, text[at:], 1<<20)
		require.NotEmpty(t, others)
		require.Equal(t, whole[1:], got, format)
	}
}

func TestForeignLines(t *testing.T) {
	const entry = "2026-11-28 01:10:13.667 UTC [1] a@b/c LOG:  x\n"
	got, others := entries(t, "stderr", "sh: 1: not found\n\n"+entry+entry, 1<<20)
	require.Len(t, got, 2)
	require.Equal(t, []string{"sh: 1: not found\n\n"}, others)
	got, others = entries(t, "jsonlog", "\n{\n[]\nnull\n{\"timestamp\":\"2026-11-28 01:10:13.667 UTC\",\"message\":\"x\"}\n", 1<<20)
	require.Len(t, got, 1)
	require.Len(t, others, 4)
}

func TestGuess(t *testing.T) {
	for format, name := range map[string]string{"jsonlog": "postgres-jsonlog.jsonl", "csvlog": "postgres-csvlog.csv", "stderr": "postgres-stderr.log"} {
		require.Equal(t, format, Guess([]byte(read(t, name))))
	}
}
