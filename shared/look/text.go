package look

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

func (l *Look) note(format string, args ...any) {
	l.Notes = append(l.Notes, fmt.Sprintf(format, args...))
}

// longest bounds each duration: 31 years, so that no sum overflows.
const longest = 1e12

// known returns a duration rounded to the microsecond, nil for what is none.
func known(ms float64) *float64 {
	if !(ms >= 0) {
		return nil
	}
	ms = math.Round(min(ms, longest)*1000) / 1000
	return &ms
}

// figure writes milliseconds with three digits or so, without the unit: 0.24, 17.9, 1,843.
func figure(ms float64) string {
	switch {
	case ms >= 99.95:
		return thousands(strconv.FormatFloat(ms, 'f', 0, 64))
	case ms >= 9.995:
		return strconv.FormatFloat(ms, 'f', 1, 64)
	}
	return strconv.FormatFloat(ms, 'f', 2, 64)
}

func millis(ms float64) string { return figure(ms) + " ms" }

func count(n int) string { return thousands(strconv.Itoa(n)) }

func thousands(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// statements says how many there are.
func statements(n int) string { return count(n) + plural(n, " statement", " statements") }

// clip cuts a text to some bytes, never within a rune.
func clip(text string, bytes int) string {
	if len(text) <= bytes {
		return text
	}
	return strings.ToValidUTF8(text[:bytes], "") + "…"
}

// line is a text in one line, to stand in a sentence.
func line(text string) string {
	return clip(strings.Join(strings.Fields(clip(text, maxTextBytes)), " "), 80)
}
