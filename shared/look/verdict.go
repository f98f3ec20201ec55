package look

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"

	"github.com/bitville/listener/shared/profile"
)

// topShare is the part of a time from which one function or statement is named for it.
const topShare = 0.4

// seenShare is the part of the time in the database that a profile must show in database functions. One that leaves out PHP's
// own functions counts the wait as time of their callers, so that none can be named.
const seenShare = 0.8

// database matches PHP's functions that wait for a database: their time is not PHP's own.
var database = regexp.MustCompile(`^(PDO|Pdo\\|pg_|mysqli)`)

// conclude fills Verdict: where most of the time went, in one sentence.
func (l *Look) conclude(r *request) {
	t, c := &l.Time, &l.Counts
	inPHP, inPostgres, gap := value(t.PHPMS), value(t.PostgresMS), value(t.GapMS)
	switch {
	case r.page == nil:
		l.Verdict = l.onlyPostgres(r)
	case l.DurationMS == nil && t.DatabaseMS == nil && t.PostgresMS == nil:
		l.Verdict = "No duration came, of the page or of a statement"
	case t.DatabaseMS == nil && t.PostgresMS == nil:
		l.Verdict = fmt.Sprintf("The page took %s; nothing tells how much of it was in the database", millis(*l.DurationMS))
	case t.DatabaseMS == nil:
		l.Verdict = fmt.Sprintf("Postgres ran %s for %s%s; PHP does not tell how long it waited", statements(c.Arrived), figure(inPostgres), l.of())
	case t.PostgresMS == nil && *t.DatabaseMS > inPHP:
		l.Verdict = fmt.Sprintf("%s%s went to the database; no statement's time came, so what took it is not known", figure(*t.DatabaseMS), l.of())
	case gap > inPHP && gap > inPostgres:
		l.Verdict = fmt.Sprintf("%s%s went between PHP and Postgres: %s, %s in Postgres", figure(gap), l.of(), statements(c.Arrived), millis(inPostgres))
	case inPostgres > 0 && inPostgres >= inPHP && inPostgres >= value(t.GapAtMostMS):
		l.Verdict = fmt.Sprintf("Postgres took %s%s: %s", figure(inPostgres), l.of(), l.byStatement())
	case value(t.GapAtMostMS) > inPHP:
		came := statements(c.Arrived) + " came"
		if c.Announced != nil {
			came = fmt.Sprintf("%s of %s came", count(c.Arrived), statements(*c.Announced))
		}
		l.Verdict = fmt.Sprintf("%s%s went to the database, of which %s are known to be in Postgres: %s", figure(*t.DatabaseMS), l.of(), millis(inPostgres), came)
	case inPHP >= 0 && inPHP >= *t.DatabaseMS-max(inPostgres, 0):
		l.Verdict = fmt.Sprintf("PHP itself took %s%s%s", figure(inPHP), l.of(), l.byFunction())
	default: // statements that are too many, or a duration that is missing or does not fit
		l.Verdict = fmt.Sprintf("PHP waited %s%s for the database: %s, %s in Postgres", figure(*t.DatabaseMS), l.of(), statements(c.Arrived), millis(max(inPostgres, 0)))
	}
}

// of is the end of "1,310": " of 1,843 ms", or " ms" where the whole is not known.
func (l *Look) of() string {
	if l.DurationMS == nil {
		return " ms"
	}
	return " of " + millis(*l.DurationMS)
}

func (l *Look) onlyPostgres(r *request) string {
	came := statements(cmp.Or(l.Counts.Arrived, l.Counts.Nested))
	if l.Time.PostgresMS != nil {
		came += " took " + millis(*l.Time.PostgresMS) + " in Postgres"
	}
	if r.derived() {
		return came + "; no page ran " + plural(len(r.statements), "it", "them")
	}
	return came + "; the page's record is not here"
}

// byStatement says which statements took Postgres' time.
func (l *Look) byStatement() string {
	i := slices.IndexFunc(l.Statements, func(s Statement) bool { return !s.Nested })
	if i < 0 || l.Counts.Arrived == 1 {
		return "one statement, " + line(l.Statements[max(i, 0)].Text)
	}
	s := l.Statements[i]
	switch {
	case value(s.Share) < topShare:
		return statements(l.Counts.Arrived)
	case s.Count > 1:
		return fmt.Sprintf("%s of it in %s times %s", millis(*s.TotalMS), count(s.Count), line(s.Text))
	}
	return fmt.Sprintf("%s of it in %s", millis(*s.TotalMS), line(s.Text))
}

// byFunction names the function that PHP's time went into, if it is one.
func (l *Look) byFunction() string {
	if l.Profile == nil {
		return ""
	}
	if ms, _ := l.Profile.Whole.DatabaseMS(); ms < seenShare**l.Time.DatabaseMS {
		return ""
	}
	i := slices.IndexFunc(l.Profile.Functions, func(f profile.Function) bool { return !database.MatchString(f.Name) })
	if i < 0 {
		return ""
	}
	f := l.Profile.Functions[i]
	if f.SelfMS < topShare**l.Time.PHPMS || f.SelfMS > *l.Time.PHPMS {
		return ""
	}
	return fmt.Sprintf(": %s of it in %s", millis(f.SelfMS), line(f.Name))
}
