package record

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMembers(t *testing.T) {
	for _, c := range []struct {
		object string
		want   []string // name, value, name, value
	}{
		{``, nil}, {`null`, nil}, {`[1]`, nil}, {`{}`, nil}, {` { } `, nil}, {`{`, nil}, {`{"a"`, nil}, {`{"a":`, nil},
		{`{"a":1}`, []string{"a", "1"}},
		{" { \"a\" : [ 1 , {\"b\":\"}\"} ] ,\n\"c\":\"x\" } ", []string{"a", `[ 1 , {"b":"}"} ]`, "c", `"x"`}},
		{`{"\u0061\"":null,"a":true,"a":-1.5e3}`, []string{`a"`, "null", "a", "true", "a", "-1.5e3"}},
		{`{"a":1,"b":2`, []string{"a", "1", "b", "2"}},
		{`{"a":1,"b":tru}`, []string{"a", "1"}},
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

func TestText(t *testing.T) {
	for _, value := range []string{`""`, `"x"`, `"\u00e9\n\"\\\/"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ud83dA"`, `"é"`} {
		var want string
		require.NoError(t, json.Unmarshal([]byte(value), &want))
		require.Equal(t, want, Text([]byte(value)), value)
	}
	for _, value := range []string{``, `1`, `null`, `true`, `{"a":1}`, `["x"]`} {
		require.Empty(t, Text([]byte(value)), value)
	}
}
