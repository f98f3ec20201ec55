package config

import (
	"slices"
	"strings"
)

const doesNothing = " and does nothing"

// Slips parts warnings into those about variables that are none of ours, and the rest.
func Slips(warnings []string) (slips, rest []string) {
	for _, w := range warnings {
		if strings.Contains(w, doesNothing) {
			slips = append(slips, w)
		} else {
			rest = append(rest, w)
		}
	}
	return slips, rest
}

// unknown is the warning about a variable that is none of ours, with the one that was probably meant.
func (p program) unknown(name string) string {
	text := name + " is not a setting of this " + p.name + doesNothing
	if known := p.nearest(name); known != "" {
		text += "; did you mean " + known + "?"
	}
	return text
}

const (
	farthest = 4 // edits that a name may be away from one that is suggested for it
	cut      = 3 // edits that words too many or too few at the end count as
)

// nearest returns the setting whose name is least away from an unknown one, or "" when each is too far.
func (p program) nearest(name string) (found string) {
	name = strings.ToUpper(name)
	least := farthest + 1
	for _, s := range slices.Concat(keySettings(), p.settings()) {
		prefix, isPrefix := strings.CutSuffix(s.Name, "<PROJECT>")
		edits := distances(name, prefix)
		away := edits[len(name)]
		switch {
		case isPrefix: // the project is free
			away = slices.Min(edits)
		case strings.HasPrefix(name, s.Name+"_") || strings.HasPrefix(s.Name, name+"_"):
			away = min(away, cut)
		}
		if away < least {
			found, least = s.Name, away
		}
	}
	return found
}

// distances returns how many edits (Levenshtein's) make each beginning of name, up to the whole, the known one.
func distances(name, known string) []int {
	row := make([]int, len(name)+1)
	for i := range row {
		row[i] = i
	}
	for k := range len(known) {
		diagonal := row[0]
		row[0]++
		for i := range len(name) {
			replaced := diagonal
			if name[i] != known[k] {
				replaced++
			}
			diagonal = row[i+1]
			row[i+1] = min(replaced, row[i]+1, diagonal+1)
		}
	}
	return row
}
