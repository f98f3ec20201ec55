package report

import (
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	eastasian "golang.org/x/text/width"
)

// ms writes a duration in nine columns: milliseconds to the digit that matters, a dash for one that is not known.
func ms(v *float64) string {
	if v == nil {
		return pad("–", 9)
	}
	return pad(duration(*v), 9)
}

// percent writes a share in five columns.
func percent(share *float64) string {
	if share == nil {
		return pad("–", 5)
	}
	return pad(fmt.Sprintf("%.0f%%", min(max(*share, -9), 99)*100), 5)
}

func duration(ms float64) string {
	switch abs := math.Abs(ms); {
	case abs >= 1e9:
		return fmt.Sprintf("%.0e s", ms/1000)
	case abs >= 100_000:
		return fmt.Sprintf("%.0f s", ms/1000)
	case abs >= 10_000:
		return fmt.Sprintf("%.1f s", ms/1000)
	case abs >= 100:
		return fmt.Sprintf("%.0f ms", ms)
	case abs >= 10:
		return fmt.Sprintf("%.1f ms", ms)
	}
	return fmt.Sprintf("%.2f ms", ms)
}

// marks writes kinds of findings.
func marks(kinds []string, most int) string {
	return clip(strings.ReplaceAll(strings.Join(kinds, ", "), "_", " "), most)
}

// pad puts blanks before a text, so that it ends at a column.
func pad(text string, to int) string {
	return strings.Repeat(" ", max(0, to-columns(text))) + text
}

// oneLine is a text without line breaks and indents.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// Clean puts a dot in the place of what is not graphic: what could move a terminal's cursor, turn text round, or hide.
func Clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case !unicode.IsGraphic(r), r == utf8.RuneError:
			return '·'
		}
		return r
	}, text)
}

// columns is how much room a text takes in a terminal.
func columns(text string) (n int) {
	for _, r := range text {
		n += columnsOf(r)
	}
	return n
}

func columnsOf(r rune) int {
	if r < 0x300 { // most are
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me) {
		return 0
	}
	switch eastasian.LookupRune(r).Kind() {
	case eastasian.EastAsianWide, eastasian.EastAsianFullwidth:
		return 2
	}
	return 1
}

// clip cuts a text to so many columns. Marks above and below letters take none, but no text has more of them than columns.
func clip(text string, most int) string {
	n, runes, fits := 0, 0, 0
	for at, r := range text {
		if n <= most-1 {
			fits = at // what is before, and the …
		}
		n += columnsOf(r)
		runes++
		if n > most || runes > 2*most {
			return text[:fits] + "…"
		}
	}
	return text
}

// ends cuts the middle out of a text that has more than so many columns. Statements often differ in their ends alone.
func ends(text string, most int) string {
	if clip(text, most) == text {
		return text
	}
	head := strings.TrimSuffix(clip(text, most/2), "…")
	tail, n := len(text), columns(head)+1
	for tail > 0 {
		r, size := utf8.DecodeLastRuneInString(text[:tail])
		if n += max(1, columnsOf(r)); n > most {
			break
		}
		tail -= size
	}
	return head + "…" + text[tail:]
}
