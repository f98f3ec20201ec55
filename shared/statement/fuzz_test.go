package statement

import (
	"strings"
	"testing"
)

// FuzzStatement holds what is promised of any text: nothing panics, a mask hides every literal and is the same when
// masked again, a text and its mask are one statement, and an id takes a comment out and nothing else.
func FuzzStatement(f *testing.F) {
	for _, s := range []string{
		"", "SELECT 'a''b', E'\\'', $1, $x$y$x$, \"q\"\"\", 1e-5, .5, 0x1f -- c\n/* /* */ */ + -1;", "'a'\n'b'", "e'a'--\n'\\'", "IN (1, -2), (?)", "[1,2", "U&'x' U&\"y",
		"SELECT 1 /*correlation_id='3f2c8a5e9d4b4c1fa6e0b7d2c3e4f501'*/;", "-- correlation_id=3f2c8a5e9d4b4c1fa6e0b7d2c3e4f501\n'/*'", "1..2...3$1$a$a$", "\x00- 1", "a;;b;", "_/**/'x'",
	} {
		f.Add(s, "planted")
	}
	f.Fuzz(func(t *testing.T, text, secret string) {
		mask := Mask(text)
		if again := Mask(mask); again != mask {
			t.Fatalf("%q is masked as %q and then as %q", text, mask, again)
		}
		if Key("", false, mask) != Key("", false, text) {
			t.Fatalf("%q and its mask %q have two keys", text, mask)
		}
		for i := 0; i < len(mask); {
			kind, end := next(mask, i)
			if kind == value || kind == comment {
				t.Fatalf("%q is masked as %q, which has %q", text, mask, mask[i:end])
			}
			i = end
		}

		id, rest, ok := ID(text)
		if !ok && (rest != text || id != "") || ok && len(id) != 36 {
			t.Fatalf("%q has the id %q and the rest %q", text, id, rest)
		}
		if Key("", false, rest) != Key("", false, text) && !strings.Contains(text, "'") {
			t.Fatalf("%q without its id is %q", text, rest)
		}
		for i := 0; i < len(text); {
			kind, end := next(text, i)
			if kind == value && !strings.Contains(rest, text[i:end]) {
				t.Fatalf("%q lost %q", text, text[i:end])
			}
			i = end
		}

		// A literal of any content, in each way to write one: its content is nowhere in the mask, and what stands
		// around it stays.
		const open, closing = "SELECT a<", ">b"
		doubled := strings.ReplaceAll(secret, "'", "''")
		for _, literal := range []string{
			"'" + doubled + "'",
			"E'" + strings.ReplaceAll(doubled, `\`, `\\`) + "'",
			"$planted$" + strings.ReplaceAll(secret, "$", "") + "$planted$",
			"N'" + doubled + "'",
		} {
			if got := Mask(open + literal + closing); got != open+"?"+closing {
				t.Fatalf("%q is masked as %q", literal, got)
			}
		}
	})
}
