// Package statement reads the text of SQL statements as PostgreSQL's own scanner does: which statement is it (Key),
// how may it be shown (Mask), and which request ran it (ID).
//
// The texts come from strangers and may be cut off anywhere. Nothing here fails: what is no SQL is read as some
// row of tokens, and a literal or a comment that the text ends in reaches to its end. So Mask leaves no part of a
// literal, and ID takes nothing for a comment that stands in a literal. Literals are read as with
// standard_conforming_strings on, which is PostgreSQL's default since 9.1.
//
// One lexer serves all three, so that they agree about what a literal is: texts that look the same when masked are one
// statement. A library for Mask alone would not: go-sqllexer 0.2.4 reads a backslash as an escape in any literal, shows
// secret in 'C:\', 'secret', keeps literals in comments, and leaves $1.
package statement

import "strings"

// Mask returns text as it may be shown or stored: each literal, number and parameter ($1) is a question mark,
// comments are left out, names and formatting stay. Masking twice changes nothing.
func Mask(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	gap := "" // the white space before the next token; a comment leaves some, or "-/**/-" would become a comment
	for i := 0; i < len(text); {
		kind, end := next(text, i)
		switch {
		case kind == space:
			gap = text[i:end]
		case kind == comment:
			if gap == "" {
				gap = " "
			}
		default:
			if b.Len() > 0 {
				b.WriteString(gap)
			}
			gap = ""
			if kind == value {
				b.WriteByte('?')
			} else {
				b.WriteString(text[i:end])
			}
		}
		i = end
	}
	return b.String()
}
