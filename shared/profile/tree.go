package profile

import (
	"cmp"
	"slices"
)

// A tree holds at most maxNodes nodes, and as many more named deeper, and is at most maxDepth deep: what a stranger's profile
// may cost. Real profiles of 4 MiB have some 30,000 nodes.
const (
	maxNodes = 1 << 16
	maxDepth = 1 << 12
)

// deeper is the name of the one frame that stands for all below it when a stack is cut.
const deeper = "(deeper)"

// tree merges the stacks of samples: stacks that begin alike share their first nodes. A node stands behind its parent.
type tree struct {
	nodes []node // nodes[0] is the root, which is no function
	cut   bool   // a stack was cut
}

type node struct {
	function            int32
	parent, first, next int32 // first child, next sibling; 0 is none
	self, total         float64
}

// treeBuilder adds stacks to a tree.
type treeBuilder struct {
	names
	tree
	files    []place          // of the names, as far as known
	child    map[uint64]int32 // by parent and function
	deeperID int32
}

type place struct {
	file string
	line int
}

func newTreeBuilder() *treeBuilder {
	b := &treeBuilder{child: make(map[uint64]int32)}
	b.nodes = []node{{function: -1}}
	b.deeperID = b.add(deeper)
	return b
}

// step returns the child of node at that is function; depth is how many functions stand above it.
func (b *treeBuilder) step(at int32, depth int, function int32) int32 {
	if b.nodes[at].function == b.deeperID {
		return at
	}
	key := uint64(at)<<32 | uint64(function)
	if n, ok := b.child[key]; ok {
		return n
	}
	if depth >= maxDepth || len(b.nodes) >= maxNodes && function != b.deeperID {
		b.cut = true
		return b.step(at, 0, b.deeperID)
	}
	n := int32(len(b.nodes))
	b.nodes = append(b.nodes, node{function: function, parent: at, next: b.nodes[at].first})
	b.nodes[at].first = n
	b.child[key] = n
	return n
}

// function returns the number of a name. A tree of maxNodes nodes shows no more names.
func (b *treeBuilder) function(name []byte) int32 {
	if _, known := b.ids[string(name)]; !known && len(b.list) >= maxNodes {
		b.cut = true
		return b.deeperID
	}
	return b.id(name)
}

// place notes where a function stands; the first place that is known stays.
func (b *treeBuilder) place(function int32, p place) {
	for len(b.files) <= int(function) {
		b.files = append(b.files, place{})
	}
	if b.files[function].file == "" {
		b.files[function] = p
	}
}

// profile sums the tree and computes its functions. The builder is done with after it.
func (b *treeBuilder) profile() *Profile {
	p := &Profile{Kind: Samples, tree: b.tree, KnownStacks: 1}
	nodes := p.tree.nodes
	for i := len(nodes) - 1; i >= 0; i-- { // children stand behind their parents
		n := &nodes[i]
		n.total += n.self
		if i > 0 {
			nodes[n.parent].total += n.total
		}
	}
	p.TotalMS = nodes[0].total
	if p.tree.cut {
		p.Notes = append(p.Notes, "The profile is larger than a page can show: the frame "+deeper+" stands for what was cut.")
	}

	functions := b.functions()
	active := make([]int, len(functions)) // on the way from the root
	used := make([]bool, len(functions))
	p.tree.walk(func(n int32) {
		f := nodes[n].function
		used[f] = true
		functions[f].SelfMS += nodes[n].self
		if active[f]++; active[f] == 1 {
			functions[f].TotalMS += nodes[n].total
		}
	}, func(n int32) { active[nodes[n].function]-- })
	for i := range b.files {
		functions[i].File, functions[i].Line = b.files[i].file, b.files[i].line
	}
	for i := range functions { // sums in another order differ in their last digit
		f := &functions[i]
		f.TotalMS = min(f.TotalMS, p.TotalMS)
		f.SelfMS = min(f.SelfMS, f.TotalMS)
	}

	var moved []int32
	p.Functions, moved = order(functions, used)
	for i := range nodes[1:] {
		nodes[i+1].function = moved[nodes[i+1].function]
	}
	p.tree.sort(p.Functions)
	p.HotPath = sampledPath(&p.tree, p.Functions)
	p.guessOrigins(false)
	return p
}

// sort orders siblings by weight, then by name.
func (t *tree) sort(functions []Function) {
	var children []int32
	for i := range t.nodes {
		children = children[:0]
		for n := t.nodes[i].first; n != 0; n = t.nodes[n].next {
			children = append(children, n)
		}
		slices.SortFunc(children, func(a, b int32) int {
			m, n := &t.nodes[a], &t.nodes[b]
			return cmp.Or(cmp.Compare(n.total, m.total), cmp.Compare(functions[m.function].Name, functions[n.function].Name))
		})
		next := int32(0)
		for _, n := range slices.Backward(children) {
			t.nodes[n].next, next = next, n
		}
		t.nodes[i].first = next
	}
}

// walk visits each node but the root: enter before its children, leave after them. It does not recurse.
func (t *tree) walk(enter, leave func(n int32)) {
	if len(t.nodes) == 0 {
		return
	}
	for n := t.nodes[0].first; n != 0; {
		enter(n)
		if first := t.nodes[n].first; first != 0 {
			n = first
			continue
		}
		for n != 0 {
			leave(n)
			if next := t.nodes[n].next; next != 0 {
				n = next
				break
			}
			n = t.nodes[n].parent
		}
	}
}

// Merge joins profiles of kind Samples, of several requests for one route, into one: times are sums. Profiles of other
// kinds are left out and counted in Skipped.
func Merge(profiles ...*Profile) *Profile {
	b := newTreeBuilder()
	skipped := 0
	for _, p := range profiles {
		if p.Kind != Samples {
			skipped++
			continue
		}
		ids := make([]int32, len(p.Functions))
		for i, f := range p.Functions {
			ids[i] = b.add(f.Name)
			b.place(ids[i], place{f.File, f.Line})
		}
		to := make([]int32, len(p.tree.nodes))
		for i, n := range p.tree.nodes {
			if i > 0 {
				to[i] = b.step(to[n.parent], 0, ids[n.function])
			}
			b.nodes[to[i]].self += n.self
		}
		b.cut = b.cut || p.tree.cut
	}
	merged := b.profile()
	merged.Skipped = skipped
	merged.noteSkipped("Profiles")
	return merged
}
