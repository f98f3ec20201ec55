package record

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestMembers(t *testing.T) {
	for _, c := range []struct {
		object string
		want   []string // name, value, name, value
	}{
		{``, nil}, {`null`, nil}, {`[1]`, nil}, {`{}`, nil}, {` { } `, nil}, {`{`, nil}, {`{"a`, nil}, {`{"a"`, nil}, {`{"a":`, nil}, {`{"a":}`, nil},
		{`{"a":"x`, nil}, {`{"a":[1,"x}`, nil}, {`{"a":1`, nil}, {`{a:1}`, nil}, {`{"a" 1}`, nil},
		{`{"a":1}`, []string{"a", "1"}},
		{" { \"a\" : [ 1 , {\"b\":\"}\\\"]\"} ] ,\n\"c\":\"x\" } ", []string{"a", `[ 1 , {"b":"}\"]"} ]`, "c", `"x"`}},
		{`{"\u0061\"":null,"a":true ,"a":-1.5e3}`, []string{`a"`, "null", "a", "true", "a", "-1.5e3"}},
		{`{"a":"\\","b":"\\\"","c":{}}`, []string{"a", `"\\"`, "b", `"\\\""`, "c", "{}"}},
		{`{"a":1,"b":2`, []string{"a", "1"}},
	} {
		var got []string
		for name, value := range Members([]byte(c.object)) {
			got = append(got, string(name), string(value))
		}
		require.Equal(t, c.want, got, c.object)
	}
	for name := range Members([]byte(`{"a":1,"b":2}`)) {
		require.Equal(t, "a", string(name))
		break
	}
}

// FuzzMembers holds that of an object the members are those that encoding/json finds, and that nothing else panics.
func FuzzMembers(f *testing.F) {
	for _, object := range []string{`{"a":1,"\u0062":"\"","c":[{"d":"]"}]}`, `{"a"`, `{"a":{`, `{"\ud800":"\ud800"}`, " {\"a\" :\t\"x\" , \"b\":{} }"} {
		f.Add(object)
	}
	f.Fuzz(func(t *testing.T, object string) {
		got := map[string]string{}
		for name, value := range Members([]byte(object)) {
			got[string(name)] = string(value)
			Text(value)
		}
		var want map[string]json.RawMessage
		if json.Unmarshal([]byte(object), &want) != nil || want == nil || !utf8.ValidString(object) {
			return
		}
		require.Len(t, got, len(want))
		for name, value := range want {
			require.Equal(t, string(value), got[name])
			var text string
			if json.Unmarshal(value, &text) == nil {
				require.Equal(t, text, Text(value))
			}
		}
	})
}

func TestText(t *testing.T) {
	for _, value := range []string{`""`, `"x"`, `"\u00e9\n\"\\\/"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ud83dA"`, `"é"`} {
		var want string
		require.NoError(t, json.Unmarshal([]byte(value), &want))
		require.Equal(t, want, Text([]byte(value)), value)
	}
	for _, value := range []string{``, `1`, `null`, `true`, `{"a":1}`, `["x"]`, `"`, `"\x"`} {
		require.Empty(t, Text([]byte(value)), value)
	}
}
