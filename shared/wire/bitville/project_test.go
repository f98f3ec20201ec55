package bitville_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/wire/bitville"
)

func TestProject(t *testing.T) {
	for _, c := range []struct{ text, project, problem string }{
		{`{"project":"My-Shop","n":1}`, "my_shop", ""},
		{"\xef\xbb\xbf {\"a\":[{\"project\":\"inner\"}],\"project\":\"sh\\u006fp\"} \n", "shop", ""},
		{`{"Project":"x"}`, "", "project is required"},
		{`{"project":7}`, "", "project must be a string"},
		{`{"project":""}`, "", "project must be 1 to 50 characters long"},
		{`{"project":"` + strings.Repeat("ä", 51) + `"}`, "", "project must be 1 to 50 characters long"},
		{`{"project":"a","project":"b"}`, "", "project stands more than once"},
		{`[{"project":"a"}]`, "", "the record must be a JSON object, not an array"},
		{`{"project":"a"`, "", "invalid JSON at byte 14"},
		{`{"project":"a"}{}`, "", "invalid JSON at byte 15"},
		{"{\"project\":\"a\",\"b\":\"\xff\"}", "", "invalid JSON at byte 20"},
		{``, "", "invalid JSON at byte 0"},
	} {
		project, err := bitville.Project([]byte(c.text))
		require.Equal(t, c.project, project, c.text)
		if c.problem == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, c.problem, c.text)
		}
	}
}
