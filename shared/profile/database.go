package profile

import "strings"

// databaseFunction tells PHP's own functions that talk to a database. A class of the application or of a library whose
// name only contains PDO, like Doctrine\DBAL\Driver\PDO\Statement, is none.
func databaseFunction(name string) bool {
	for _, prefix := range [...]string{"PDO::", "PDOStatement::", `Pdo\`, "pg_", "mysqli::", "mysqli_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// runsStatement tells those that run a statement once a call.
func runsStatement(name string) bool {
	switch name {
	case "PDO::query", "PDO::exec", "PDOStatement::execute",
		"pg_query", "pg_query_params", "pg_execute", "pg_send_query", "pg_send_query_params", "pg_send_execute",
		"mysqli_query", "mysqli::query", "mysqli_real_query", "mysqli::real_query", "mysqli_multi_query", "mysqli::multi_query",
		"mysqli_execute_query", "mysqli::execute_query", "mysqli_stmt_execute", "mysqli_stmt::execute":
		return true
	}
	return false
}

// DatabaseMS is the time in PHP's database functions: PDO, pg_ and mysqli. Of Spans it is the time of those with
// db.system. ok is false when the profile has none of them: then it does not tell that no time went there, since
// Excimer's samples and some settings of XHProf leave out PHP's own functions.
func (p *Profile) DatabaseMS() (ms float64, ok bool) {
	in := make([]bool, len(p.Functions))
	for i := range p.Functions {
		in[i] = databaseFunction(p.Functions[i].Name)
	}
	for _, e := range p.edges {
		// One database function within another is in the other's time.
		if in[e.to] && (e.from == outside || !in[e.from]) {
			ms, ok = ms+e.ms, true
		}
	}
	inside := 0
	p.tree.walk(func(n int32) {
		if node := &p.tree.nodes[n]; in[node.function] {
			if ok = true; inside == 0 {
				ms += node.total
			}
			inside++
		}
	}, func(n int32) {
		if in[p.tree.nodes[n].function] {
			inside--
		}
	})
	above := -1 // the depth of the database span that the next ones may be in
	for _, s := range p.Spans {
		if above >= 0 && s.Depth > above {
			continue
		}
		if above = -1; s.Database {
			ms, ok, above = ms+s.DurationMS, true, s.Depth
		}
	}
	return min(ms, p.TotalMS), ok
}

// DatabaseCalls counts the statements that PHP ran. ok is false for Samples, which do not count, and where DatabaseMS is not known.
func (p *Profile) DatabaseCalls() (calls int64, ok bool) {
	if _, ok = p.DatabaseMS(); !ok || p.Kind == Samples {
		return 0, false
	}
	sum := 0.0
	for _, e := range p.edges {
		if runsStatement(p.Functions[e.to].Name) && (e.from == outside || !databaseFunction(p.Functions[e.from].Name)) {
			sum += e.calls
		}
	}
	for _, s := range p.Spans {
		if s.statement {
			sum++
		}
	}
	return whole(sum), true
}
