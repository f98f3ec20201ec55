package infra_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// checkOptional holds that a function which is not always deployed is deployed when the parameter ImportFunctions names it, with
// all that is its own, and that none is by default.
func (s *stack) checkOptional(all []stackFunction) {
	table := s.Mappings["ImportFunctions"]
	var rows []any
	for row := range table {
		rows = append(rows, row)
	}
	if values := s.Parameters["ImportFunctions"].AllowedValues; !sameTexts(values, rows) {
		s.report("ImportFunctions may be %v, and its table has %v", values, rows)
	}
	if value := s.Parameters["ImportFunctions"].Default; value != "none" {
		s.report("ImportFunctions deploys %v by default", value)
	}
	for row, columns := range table {
		var deployed, want []string
		for column, what := range columns {
			if what == "deployed" {
				deployed = append(deployed, column)
			}
			if row == "all" || slices.Contains(strings.Split(row, "-"), strings.ToLower(column)) {
				want = append(want, column)
			}
		}
		slices.Sort(deployed)
		slices.Sort(want)
		if !slices.Equal(deployed, want) {
			s.report("ImportFunctions %s deploys %v, not %v", row, deployed, want)
		}
	}
	for _, f := range all {
		if !f.optional {
			continue
		}
		condition := strings.TrimSuffix(f.name, "Function")
		want := fmt.Sprintf(`{"Fn::Equals":[{"Fn::FindInMap":["ImportFunctions",{"Ref":"ImportFunctions"},"%s"]},"deployed"]}`, strings.TrimPrefix(condition, "Import"))
		if got := asJSON(s.Conditions[condition]); got != want {
			s.report("the condition %s is %s, not %s", condition, got, want)
		}
		for _, name := range slices.Sorted(maps.Keys(s.Resources)) {
			if r := s.Resources[name]; strings.HasPrefix(name, condition) && r.Condition != condition {
				s.report("%s depends on the condition %s, not %s", name, r.Condition, condition)
			}
		}
		for name, output := range s.Outputs {
			if strings.HasPrefix(name, condition) && output.Condition != condition {
				s.report("output %s depends on the condition %s, not %s", name, output.Condition, condition)
			}
		}
	}
}

// sameTexts tells whether two lists hold the same texts, in whatever order.
func sameTexts(a, b []any) bool {
	sorted := func(list []any) (texts []string) {
		for _, v := range list {
			texts = append(texts, fmt.Sprint(v))
		}
		slices.Sort(texts)
		return texts
	}
	return slices.Equal(sorted(a), sorted(b))
}
