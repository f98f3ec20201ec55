package statement

import (
	"net/url"
	"strings"

	"github.com/bitville/listener/shared/record"
)

// ID finds the correlation id in the comments of a statement: traceparent='00-<trace id>-<span id>-<flags>' or
// correlation_id='<UUID or 32 hexadecimal digits>', quoted or bare, percent-encoded or not, among other keys as
// sqlcommenter writes them, wherever the comment stands. Of several comments the last that has an id wins.
//
// id is a lower-case dashed UUID. rest is the statement without that comment, or text where there is none.
func ID(text string) (id, rest string, ok bool) {
	if !strings.Contains(text, "/*") && !strings.Contains(text, "--") {
		return "", text, false
	}
	from, to := 0, 0
	for i := 0; i < len(text); {
		kind, end := next(text, i)
		if kind == comment {
			body := text[i+2 : end]
			if text[i] == '/' {
				body = strings.TrimSuffix(body, "*/")
			}
			if found, has := idOf(body); has {
				id, ok, from, to = found, true, i, end
			}
		}
		i = end
	}
	if !ok {
		return "", text, false
	}
	return id, without(text, from, to), true
}

// without cuts a comment out and leaves neither two words as one nor a gap where none is needed.
func without(text string, from, to int) string {
	before, after := text[:from], text[to:]
	switch {
	case before == "":
		return strings.TrimLeft(after, blanks)
	case after == "" || after[0] == ';' || class[after[0]] == isBlank:
		return strings.TrimRight(before, " \t") + after
	case class[before[from-1]] == isBlank:
		return before + after
	}
	return before + " " + after
}

// idOf returns the last id among the pairs of key and value in a comment.
func idOf(comment string) (id string, ok bool) {
	for i := 0; i < len(comment); {
		if class[comment[i]]&isLetter == 0 {
			i++
			continue
		}
		key := comment[i:while(comment, i, isLetter|isDigit)]
		i = while(comment, i+len(key), isBlank)
		if at(comment, i) != '=' {
			continue
		}
		i = while(comment, i+1, isBlank)
		var text string
		if quote := at(comment, i); quote == '\'' || quote == '"' {
			end := until(comment, i+1, quote, true)
			text = strings.TrimSuffix(comment[i+1:end], string(quote))
			i = end
		} else {
			end := i + max(0, strings.IndexAny(comment[i:]+",", blanks+",;"))
			text, i = comment[i:end], end
		}
		if found, has := idIn(key, text); has {
			id, ok = found, true
		}
	}
	return id, ok
}

// idIn reads the value of one key.
func idIn(key, text string) (id string, ok bool) {
	if key != "traceparent" && key != "correlation_id" {
		return "", false
	}
	if plain, err := url.PathUnescape(text); err == nil {
		text = plain
	}
	if key == "correlation_id" {
		return record.CorrelationID(text)
	}
	if len(text) != len("00-")+32+len("-")+16+len("-00") || text[:3] != "00-" || text[35] != '-' || text[52] != '-' ||
		!hasOnly(text[36:52], hexDigits) || !hasOnly(text[53:], hexDigits) || hasOnly(text[3:35], "0") {
		return "", false
	}
	return record.CorrelationID(text[3:35])
}

const hexDigits = "0123456789abcdef"

func hasOnly(s, bytes string) bool { return strings.Trim(s, bytes) == "" }
