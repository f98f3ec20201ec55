package traces_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/view/viewtest"
)

// TestSizes holds that no list and no look is a page of more than 300 KB, however much there is.
func TestSizes(t *testing.T) {
	sent := batch(t)
	m := &viewtest.Memory{}
	long := strings.Repeat("a_long_name/", 60)
	add := func(i int, id string, e store.Entry) {
		e.CorrelationID = id
		switch e.Source {
		case "php_agent":
			e.Name = fmt.Sprintf("/%s%c%c?%s=%d", long, 'a'+i%26, 'a'+i/26%26, long, i)
		default:
			e.Name = fmt.Sprintf("SELECT %s FROM t%d WHERE x = 1", strings.ReplaceAll(long, "/", ", "), i)
			e.Attributes = "{}"
		}
		m.Entries = append(m.Entries, e)
	}
	for i := range 600 {
		id := fmt.Sprintf("44444444-4444-4444-8444-%012x", i)
		for _, e := range sent.Entries {
			if e.CorrelationID == product {
				if e.Source == "php_agent" && i > 0 {
					e.Payload = "{}"
				}
				add(i, id, e)
				if e.Source != "php_agent" {
					add(i, "44444444-4444-4444-8444-000000000000", e) // one request has hundreds
					break
				}
			}
		}
	}
	h := handler(config(m))
	for _, path := range []string{"", "/requests?limit=500", "/routes?limit=500", "/statements?limit=500", "/44444444-4444-4444-8444-000000000000"} {
		w := get(h, "/traces/shop"+path, browser)
		require.Equal(t, http.StatusOK, w.Code, path)
		require.LessOrEqual(t, w.Body.Len(), 300<<10, path)
	}
	require.Contains(t, get(h, "/traces/shop/requests?limit=500", browser).Body.String(), "more are not drawn here")
}
