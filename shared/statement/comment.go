package statement

// WithoutComments returns text without the comments in front of it and behind it, and without white space there. A
// semicolon at its end stays.
func WithoutComments(text string) string {
	from, to, end := -1, 0, ""
	for i := 0; i < len(text); {
		kind, behind := next(text, i)
		switch {
		case kind == space || kind == comment:
		case text[i] == ';' && from >= 0:
			end = ";"
		default:
			if from < 0 {
				from = i
			}
			to, end = behind, ""
		}
		i = behind
	}
	if from < 0 {
		return ""
	}
	return text[from:to] + end
}
