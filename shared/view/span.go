package view

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// MaxRows bounds a list.
const MaxRows = 500

const (
	leastSpan   = time.Second
	longestSpan = 90 * day
)

var errSpan = errors.New("a span as in 30m, 24h or 7d: at least a second and at most 90d")

// ParseSpan reads how far back a list goes: a Go duration or whole days. The error says what a span is.
func ParseSpan(text string) (time.Duration, error) {
	span, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		span = time.Duration(n) * day
	}
	if err != nil || span < leastSpan || span > longestSpan {
		return 0, errSpan
	}
	return span, nil
}
