package record

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzCorrelationID: what an expression takes for a UUID, or for one without its dashes, is accepted, and nothing else;
// what comes of it is its digits in lower case with dashes, which are what comes of that again.
func FuzzCorrelationID(f *testing.F) {
	for _, text := range []string{
		"d37cc455-87f5-457f-b02d-86776b296414", "D37CC45587F5457FB02D86776B296414", "", "d37cc455-87f5-457f-b02d-86776b29641g",
		"{d37cc455-87f5-457f-b02d-86776b2964}", "d37cc45587f5-457f-b02d-86776b29641414", "------------------------------------", "d37cc45587f5457fb02d86776b296414\n",
	} {
		f.Add(text)
	}
	shape := regexp.MustCompile(`\A(?i:[0-9a-f]{32}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\z`)
	f.Fuzz(func(t *testing.T, text string) {
		id, ok := CorrelationID(text)
		require.Equal(t, shape.MatchString(text), ok)
		if !ok {
			require.Empty(t, id)
			return
		}
		require.Equal(t, strings.ToLower(strings.ReplaceAll(text, "-", "")), strings.ReplaceAll(id, "-", ""))
		require.Regexp(t, `^.{8}-.{4}-.{4}-.{4}-.{12}$`, id)
		again, ok := CorrelationID(id)
		require.True(t, ok)
		require.Equal(t, id, again)
	})
}
