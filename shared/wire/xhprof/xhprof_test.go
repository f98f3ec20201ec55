package xhprof_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/wire/jsonvalue"
	"github.com/bitville/listener/shared/wire/xhprof"
)

func TestDuration(t *testing.T) {
	ms := func(x float64) *float64 { return &x }
	for _, c := range []struct {
		name, profile string
		want          *float64
	}{
		{"main is the root", `{"main()==>a":{"ct":1,"wt":900},"a==>b":{"wt":100},"main()":{"ct":1,"wt":1216}}`, ms(1.216)},
		{"escaped arrows", `{"main()==\u003Ea":{"ct":1,"wt":900},"main()":{"ct":1,"wt":1216}}`, ms(1.216)},
		{"main is a leaf", `{"a==>b":{"wt":700},"a":{"wt":774},"main()":{"wt":3},"register_shutdown_function":{"wt":2}}`, ms(0.779)},
		{"the profiler's own work", `{"a":{"wt":774},"main()":{"wt":5},"Xhgui\\Profiler\\Profiler::shutDown":{"wt":1866}}`, ms(0.779)},
		{"the root alone", `{"main()":{"wt":7}}`, ms(0.007)},
		{"a root without a time of its own", `{"main()==>a":{"wt":900},"main()==>b":{"wt":100},"a==>c":{"wt":50}}`, ms(1)},
		{"edges alone", `{"x==>a":{"wt":900},"a==>b":{"wt":500},"y==>b":{"wt":100}}`, ms(1)},
		{"recursion", `{"main()==>f":{"wt":9},"f==>f@1":{"wt":8},"f@1==>f@2":{"wt":7},"main()":{"wt":10}}`, ms(0.01)},
		{"a cycle of edges", `{"a==>b":{"wt":1},"b==>a":{"wt":1}}`, nil},
		{"no times", `{"main()==>a":{"ct":1},"main()":{"ct":1}}`, nil},
		{"empty", `{}`, nil},
		{"an empty array", `[]`, nil},
		{"no profile", `"x"`, nil},
		{"a time before it began", `{"main()":{"wt":-4}}`, nil},
		{"a time that is none", `{"main()":{"wt":1e300}}`, nil},
		{"values that are no objects", `{"main()":7,"a==>b":[1],"c":null}`, nil},
	} {
		v, err := jsonvalue.Parse([]byte(c.profile))
		require.NoError(t, err)
		require.Equal(t, c.want, xhprof.Duration(v), c.name)
	}
}

func TestSeconds(t *testing.T) {
	for text, want := range map[string]int64{
		"1795828408.429556": 1795828408429556, `"1795828408.429556"`: 1795828408429556, "1795828408": 1795828408000000,
		"1795828411.51182": 1795828411511820, "0": 0, "-1": 0, "1795828408429": 0, "null": 0, `""`: 0, "1e999": 0,
	} {
		micros, ok := xhprof.Seconds(jsonvalue.Value(text))
		require.Equal(t, want, micros, text)
		require.Equal(t, want != 0, ok, text)
	}
}

func TestURI(t *testing.T) {
	long := "/" + strings.Repeat("ä", record.PHP.MaxNameBytes/2)
	for _, c := range []struct {
		uri    string
		keep   bool
		stored string
		cut    bool
	}{
		{"/orders/7?page=17&token=abc", false, "/orders/7?page=&token=", false},
		{"/orders/7?page=17&token=abc", true, "/orders/7?page=17&token=abc", false},
		{"cli.php import:orders --limit=20", false, "cli.php import:orders --limit=", false},
		{long, false, long[:record.PHP.MaxNameBytes-1], true},
		{long[:record.PHP.MaxNameBytes-1], true, long[:record.PHP.MaxNameBytes-1], false},
	} {
		stored, cut := xhprof.URI(c.uri, c.keep)
		require.Equal(t, c.stored, stored)
		require.Equal(t, c.cut, cut)
	}
}
