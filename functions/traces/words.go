package traces

import (
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/bitville/listener/shared/look"
	"github.com/bitville/listener/shared/plan"
	"github.com/bitville/listener/shared/profile"
)

// functions are what templates call.
var functions = template.FuncMap{
	"project":   projectPath,
	"asset":     func(name string) string { return assetsPath + name + "?v=" + version },
	"ms":        milliseconds,
	"n":         number,
	"count":     count,
	"percent":   percent,
	"since":     sinceText,
	"spans":     func() []string { return []string{"1h", "24h", "7d"} },
	"utc":       func(t look.Timestamp) string { return t.UTC().Format("2 Jan 15:04:05.000 UTC") },
	"minute":    func(t look.Timestamp) string { return t.UTC().Format("2 Jan 15:04 UTC") },
	"mark":      markWord,
	"markHelp":  func(kind string) string { return marks[kind].help },
	"cut":       cut,
	"oneLine":   oneLine,
	"sentence":  sentence,
	"megabytes": megabytes,
	"plural":    plural,
	"add":       func(a, b int) int { return a + b },
	"width":     func(share any) string { return fmt.Sprintf("%.2f%%", 100*min(1, max(0, float(share)))) },
	"split":     splitOf,
	"chart":     drawChart,
	"plan":      func(lines []plan.Line) []planRow { return planRows(lines, len(lines)) },
	"boxes":     drawFlame,
	"hours":     drawHours,
	"origins": func(o any) string {
		return map[string]string{"own": "own", "vendor": "vendor", "builtin": "PHP"}[fmt.Sprint(o)]
	},
	"list":           func(items ...any) []any { return items },
	"attr":           attributeOf,
	"share":          share,
	"spanRows":       spanRows,
	"callRows":       callRows,
	"copies":         func(plan string) bool { return len(plan) <= maxCopy },
	"firstFunctions": func(f []profile.Function) []profile.Function { return f[:min(len(f), maxLines)] },
	"firstSteps":     func(s []profile.Step) []profile.Step { return s[:min(len(s), maxSteps)] },
	"firstLines":     func(l []plan.Line) []plan.Line { return l[:min(len(l), maxLines)] },
	"beyond":         func(n, drawn int) int { return n - drawn },
	"isDatabase":     isDatabase,
	"same":           func(a *int, b int) bool { return a != nil && *a == b },
}

// float is the number of a *float64 or float64; 0 for nil.
func float(v any) float64 {
	switch f := v.(type) {
	case float64:
		return f
	case *float64:
		if f != nil {
			return *f
		}
	}
	return 0
}

// milliseconds writes a duration with three digits or so, without its unit: 0.24, 17.9, 1,843; "–" for what is not known.
func milliseconds(v any) string {
	if f, ok := v.(*float64); ok && f == nil {
		return "–"
	}
	ms := float(v)
	switch {
	case ms >= 99.95:
		return thousands(strconv.FormatFloat(ms, 'f', 0, 64))
	case ms >= 9.995:
		return strconv.FormatFloat(ms, 'f', 1, 64)
	}
	return strconv.FormatFloat(ms, 'f', 2, 64)
}

// number writes a count that may be a fraction: 24, 1,164, 0.3.
func number(v any) string {
	if f, ok := v.(*float64); ok && f == nil {
		return "–"
	}
	x := float(v)
	if x != math.Trunc(x) && x < 10 {
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return thousands(strconv.FormatFloat(x, 'f', 0, 64))
}

// count writes a whole number, or the one that a pointer has.
func count(n any) string {
	if p, ok := n.(*int); ok {
		if p == nil {
			return "–"
		}
		n = *p
	}
	return thousands(fmt.Sprint(n))
}

func thousands(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

func percent(share any) string {
	if f, ok := share.(*float64); ok && f == nil {
		return "–"
	}
	p := 100 * float(share)
	if p > 0 && p < 1 {
		return "<1 %"
	}
	return strconv.FormatFloat(p, 'f', 0, 64) + " %"
}

// sinceText writes a span as a parameter has it: 30m, 24h, 7d.
func sinceText(d time.Duration) string {
	switch {
	case d > 24*time.Hour && d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}

// sentence ends a text with a full stop, unless it is cut.
func sentence(text string) string {
	if strings.HasSuffix(text, "…") {
		return text
	}
	return text + "."
}

// megabytes writes a number of bytes, as an attribute has it, in MB; "" for what is none.
func megabytes(bytes string) string {
	n, err := strconv.ParseUint(bytes, 10, 63)
	if err != nil {
		return ""
	}
	return number(math.Round(float64(n)/1e5)/10) + " MB"
}

// plural writes a count with what is counted.
func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + many
}

// oneLine is a text without line breaks, cut.
func oneLine(text string, most int) string {
	return cut(strings.Join(strings.Fields(text), " "), most)
}

// cut is a text of some characters at most.
func cut(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most]) + "…"
	}
	return text
}

// marks are the kinds of findings, in a word and in a sentence.
var marks = map[string]struct{ word, help string }{
	"gap":          {"gap", "Much of the time lies between PHP and Postgres: planning, network, connection pool."},
	"repeated":     {"repeated", "One statement ran five times or more in one request, often from a loop (N+1)."},
	"missing_half": {"half missing", "Fewer statements came than PHP sent, or the page's record is not here."},
	"worst_node":   {"slowest node", "One node has 40 % or more of the plan's time."},
	"rows_off":     {"rows off", "The planner expected ten times more or fewer rows than came: it may have chosen the wrong plan."},
	"seq_scan":     {"seq scan", "The whole table is read."},
	"index_filter": {"index filter", "The index finds many rows that the filter then throws away."},
	"spilled":      {"spilled", "A sort or hash did not fit into work_mem and went to disk."},
	"lossy_bitmap": {"lossy bitmap", "The bitmap did not fit into work_mem, so whole blocks are checked again."},
	"nested_loop":  {"nested loop", "The inner side of a join ran a thousand times or more."},
	"workers":      {"workers", "Fewer parallel workers ran than were planned."},
	"planning":     {"planning", "Planning or JIT is a large part of the statement's time."},
	"plan_changed": {"plan changed", "This plan differs from that of most of the last days."},
}

func markWord(kind string) string {
	if m, ok := marks[kind]; ok {
		return m.word
	}
	return kind
}

// attributeOf returns an attribute of a request, "" when it is missing.
func attributeOf(all []look.Attribute, name string) string {
	for _, a := range all {
		if a.Name == name {
			return a.Value
		}
	}
	return ""
}
