package plan

import (
	"encoding/hex"
	"hash/fnv"
	"strings"
)

// Shape is equal for plans that do the same work in the same way: 16 hexadecimal digits over the tree in order, "" without
// a tree. It has node types, joins, strategies, relations, indexes and directions; not costs, rows, times, workers,
// conditions and aliases. Partitions count once: among the children of an Append those that differ in digits of names alone are one.
func (p *Plan) Shape() string {
	if len(p.Nodes) == 0 {
		return ""
	}
	return hex.EncodeToString([]byte(p.shape(0, false)))
}

// shape hashes node i and what is below it, without the digits of names where it stands below an Append.
func (p *Plan) shape(i int, below bool) string {
	n := &p.Nodes[i]
	h := fnv.New64a()
	relation, index := n.Relation, n.Index
	if below {
		relation, index = withoutDigits(relation), withoutDigits(index)
	}
	for _, s := range []string{n.Type, n.Join, n.Strategy, n.PartialMode, n.Relationship, relation, index, n.Direction, n.CTE, n.Subplan} {
		_, _ = h.Write([]byte(s))
		_, _ = h.Write([]byte{0})
	}
	isAppend := n.Type == "Append" || n.Type == "Merge Append"
	seen := map[string]bool{}
	for c := range p.children(i) {
		child := p.shape(c, below || isAppend)
		if isAppend {
			if seen[child] {
				continue
			}
			seen[child] = true
		}
		_, _ = h.Write([]byte(child))
	}
	return string(h.Sum(nil))
}

func withoutDigits(name string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return -1
		}
		return r
	}, name)
}
