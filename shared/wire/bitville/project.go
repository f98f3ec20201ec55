package bitville

import (
	"fmt"
	"unicode/utf8"

	"github.com/bitville/listener/shared/record"
)

// Project returns the project that the JSON of one record names, in the form of record.Project. Nothing else of the
// record is checked, but that it is a JSON object in UTF-8. The error is a *SyntaxError, or tells what is wrong with the
// record or its project.
func Project(text []byte) (string, error) {
	valid := text
	if bad := invalidUTF8(text); bad >= 0 {
		valid = text[:bad]
	}
	f, end, ok := scanFields(valid, skipSpace(valid, skipBOM(valid)), "")
	where := inside
	if ok {
		end, where = skipSpace(valid, end), behind
	}
	if !ok || end < len(text) {
		return "", &SyntaxError{end, mistake(text, end, where, JSON)}
	}
	if f.problem != "" {
		return "", fmt.Errorf("the record %s", f.problem)
	}
	var c checker
	project := c.text(&f, fieldProject, "project")
	if n := utf8.RuneCountInString(project); len(c.details) == 0 && (n < 1 || n > record.MaxProject) {
		c.fail("project", "must be 1 to %d characters long", record.MaxProject)
	}
	if len(c.details) > 0 {
		return "", fmt.Errorf("%s %s", c.details[0].Path, c.details[0].Message)
	}
	return record.Project(project), nil
}
