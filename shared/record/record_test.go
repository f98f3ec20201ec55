package record

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	php   = Source{ID: "php_agent", NameField: "request_uri", MaxNameBytes: 20}
	clock = time.Unix(1763843023, 0)
	rules = Rules{Project: "shop", Now: clock, Retention: time.Hour}
)

func valid() Record {
	return Record{CorrelationID: "d37cc455-87f5-457f-b02d-86776b296414", Project: "shop", Source: "php_agent",
		Timestamp: clock.UnixMicro(), DurationMS: new(17.8), Name: "/cart", Payload: []byte("{}")}
}

// Each value is judged by itself, whatever wire it came by: nothing here was JSON.
func TestValidate(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Record)
		want   string // path and message, or their beginning; none: it is valid
	}{
		"valid":               {func(*Record) {}, ""},
		"no duration":         {func(r *Record) { r.DurationMS = nil }, ""},
		"no project":          {func(r *Record) { r.Project = "" }, "project: is 0 characters long; "},
		"a long project":      {func(r *Record) { r.Project = strings.Repeat("é", 51) }, "project: is 51 characters long; "},
		"no id":               {func(r *Record) { r.CorrelationID = "" }, "correlation_id: must be a UUID "},
		"an id in other form": {func(r *Record) { r.CorrelationID = "D37CC45587F5457FB02D86776B296414" }, "correlation_id: must be a UUID "},
		"the nil id":          {func(r *Record) { r.CorrelationID = "00000000-0000-0000-0000-000000000000" }, "correlation_id: is all zeros"},
		"no time":             {func(r *Record) { r.Timestamp = 0 }, "timestamp: is older than the 1 hours"},
		"the oldest":          {func(r *Record) { r.Timestamp = clock.Add(-time.Hour).UnixMicro() }, ""},
		"a microsecond more":  {func(r *Record) { r.Timestamp = clock.Add(-time.Hour).UnixMicro() - 1 }, "timestamp: is older than"},
		"ahead":               {func(r *Record) { r.Timestamp = clock.Add(time.Hour).UnixMicro() + 1 }, "timestamp: is more than an hour ahead"},
		"a negative time":     {func(r *Record) { *r.DurationMS = -1 }, "duration_ms: must not be negative"},
		"no number":           {func(r *Record) { *r.DurationMS = math.NaN() }, "duration_ms: is too large a number"},
		"infinity":            {func(r *Record) { *r.DurationMS = math.Inf(1) }, "duration_ms: is too large a number"},
		"no name":             {func(r *Record) { r.Name = "" }, "request_uri: is empty; 1 to 20 bytes"},
		"a long name":         {func(r *Record) { r.Name = strings.Repeat("x", 21) }, "request_uri: is 21 bytes long; at most 20"},
		"a NUL":               {func(r *Record) { r.Name = "/\x00" }, `request_uri: holds a NUL character (\u0000)`},
		"too much":            {func(r *Record) { r.Payload = make([]byte, MaxBytes) }, fmt.Sprintf(": is %d bytes long; a record holds at most", MaxBytes+5)},
	} {
		t.Run(name, func(t *testing.T) {
			r := valid()
			c.change(&r)
			found := r.Validate(php, rules)
			if c.want == "" {
				require.Empty(t, found)
				return
			}
			require.Len(t, found, 1)
			require.True(t, strings.HasPrefix(found[0].Path+": "+found[0].Message, c.want), "%s: %s", found[0].Path, found[0].Message)
		})
	}
	var paths []string
	for _, d := range (&Record{Payload: make([]byte, MaxBytes+1), DurationMS: new(-1.0)}).Validate(php, rules) {
		paths = append(paths, d.Path)
	}
	require.Equal(t, []string{"", "project", "correlation_id", "timestamp", "duration_ms", "request_uri"}, paths, "all at once")
}

func TestProject(t *testing.T) {
	require.Equal(t, "my_shop_1", Project("My-Shop.1"))
	require.Equal(t, "\u212aelvin", Project("\u212aelvin"))
}
