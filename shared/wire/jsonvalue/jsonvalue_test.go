package jsonvalue_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/wire/jsonvalue"
)

func TestParse(t *testing.T) {
	for _, c := range []struct{ text, problem string }{
		{`{"a":1}`, ""},
		{" [1] \n", ""},
		{"\ufeff{}", ""},
		{"7", ""},
		{"", "is empty"},
		{" \r\n", "is empty"},
		{`{"a":1,}`, "is not JSON at or behind byte 7, counted from 0"},
		{`{"a":1`, "is not JSON at or behind byte 5, counted from 0"},
		{"{}{}", "is not JSON at or behind byte 2, counted from 0"},
		{"\"\xff\"", "is not UTF-8"},
		{strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000), "is not JSON at or behind byte 10000, counted from 0"},
	} {
		v, err := jsonvalue.Parse([]byte(c.text))
		if c.problem == "" {
			require.NoError(t, err, c.text)
			require.Equal(t, strings.Trim(c.text, "\ufeff \n"), string(v))
		} else {
			require.EqualError(t, err, c.problem, "%.20s", c.text)
		}
	}
}

func TestValue(t *testing.T) {
	v, err := jsonvalue.Parse([]byte(`{ "a" : "x\u003E\ud800" , "\u0062":[1, "2,]}" , {"c":null}] ,"n":-1.5e1,"t":" 7","s":"42.5","i":"Inf","h":1e400,"e":[ ],"o":{"p":{"q":"deep"}},"twice":1,"twice":2}`))
	require.NoError(t, err)
	require.True(t, v.IsObject())
	require.Equal(t, "x>\ufffd", v.Get("a").Text())
	require.Equal(t, "deep", v.Get("o", "p", "q").Text())
	require.Nil(t, v.Get("o", "x", "q"))
	require.Nil(t, v.Get("a", "b"))
	require.Equal(t, "2", string(v.Get("twice")))
	require.True(t, v.Get("e").IsEmptyArray())
	require.False(t, v.Get("b").IsEmptyArray())
	require.Equal(t, 3, v.Depth())
	require.Equal(t, 2, v.Get("b").Depth())
	require.Equal(t, 0, v.Get("n").Depth())
	var elements []string
	for e := range v.Get("b").Elements() {
		elements = append(elements, string(e))
	}
	require.Equal(t, []string{"1", `"2,]}"`, `{"c":null}`}, elements)
	for name, want := range map[string]float64{"n": -15, "s": 42.5} {
		x, ok := v.Get(name).Number()
		require.True(t, ok, name)
		require.Equal(t, want, x)
	}
	for _, name := range []string{"t", "i", "h", "a", "e", "missing"} {
		_, ok := v.Get(name).Number()
		require.False(t, ok, name)
	}
	var none jsonvalue.Value
	require.Zero(t, none.Text()+string(none.Get("a")))
	require.Zero(t, none.Depth())
}

func TestObject(t *testing.T) {
	var o jsonvalue.Object
	require.Nil(t, o.JSON())
	o.Text("a", "")
	o.Value("b", nil)
	require.Nil(t, o.JSON())
	o.Text("a<", "\"\u2028<&\n")
	o.Value("b", jsonvalue.Value("[1]"))
	require.Equal(t, `{"a<":"\"\u2028<&\n","b":[1]}`, string(o.JSON()))
}

// FuzzValue holds what is found against encoding/json.
func FuzzValue(f *testing.F) {
	for _, seed := range []string{`{"a":[1,{"b":"\"]}"}],"\u0061":null}`, `[]`, ` {"" : 1e5 }`, `"\\"`, `[[],[[]]]`, `{"a":{},"b":"\ud83d\ude00"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := jsonvalue.Parse(text)
		if err != nil {
			return
		}
		var object map[string]json.RawMessage
		if json.Unmarshal(v, &object) == nil && object != nil {
			require.True(t, v.IsObject())
			found := map[string]string{}
			for name, value := range v.Members() {
				found[name.Text()] = string(value)
			}
			require.ElementsMatch(t, slices.Collect(maps.Keys(object)), slices.Collect(maps.Keys(found)))
			for name, raw := range object {
				require.Equal(t, string(raw), found[name])
				require.Equal(t, string(raw), string(v.Get(name)))
			}
		}
		var list []json.RawMessage
		if json.Unmarshal(v, &list) == nil && list != nil {
			n := 0
			for e := range v.Elements() {
				require.Equal(t, string(list[n]), string(e))
				n++
			}
			require.Len(t, list, n)
			require.Equal(t, n == 0, v.IsEmptyArray())
		}
		var s string
		if v[0] == '"' && json.Unmarshal(v, &s) == nil {
			require.Equal(t, s, v.Text())
			var o jsonvalue.Object
			o.Text(s, s)
			if s != "" {
				require.JSONEq(t, string(bytes.Join([][]byte{[]byte("{"), v, []byte(":"), v, []byte("}")}, nil)), string(o.JSON()))
			}
		}
	})
}
