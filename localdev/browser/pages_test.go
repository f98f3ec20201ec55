package browser

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/stretchr/testify/require"
)

// TestPages opens every page at two widths and in both schemes: none scrolls sideways, axe finds nothing serious, and
// pictures of all are left in the ignored folder pictures, for a person to look at.
func TestPages(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	require.NoError(t, os.MkdirAll("pictures", 0o755))
	l := start(t)
	b := newTab(t, browse(t, browser, fingerprint(t, l)), l.URL)
	b.inspect("login", "/traces/login")
	b.login("/traces/shop")
	b.inspect("nothing-yet", "/traces/shop")
	send(t, l, real(t, time.Now()))
	for _, p := range pages(b) {
		b.inspect(p.name, p.path)
	}
}

// namedPage is a page of the read side.
type namedPage struct{ name, path string }

// pages are those of the records that real returns.
func pages(b *tab) []namedPage {
	b.t.Helper()
	look := func(id string) string { return "/traces/shop/" + id }
	b.open("/traces/shop/routes")
	route := eval[string](b, `document.querySelector('td.name a').getAttribute('href')`)
	b.open("/traces/shop/statements")
	statement := eval[string](b, `document.querySelector('td.sql a').getAttribute('href')`)
	return []namedPage{
		{"overview", "/traces/shop"},
		{"requests", "/traces/shop/requests?since=24h"},
		{"requests-of-route", "/traces/shop/requests?since=7d&route=" + url.QueryEscape("/product/*")},
		{"routes", "/traces/shop/routes"},
		{"route", route},
		{"statements", "/traces/shop/statements"},
		{"statement", statement},
		{"look", look(product)},
		{"look-slow", look(slow)},
		{"look-xhprof", look(xhprof)},
		{"look-sampled", look(sampled)},
		{"look-unpaged", look(unpaged)},
		{"profile-xhprof", look(xhprof) + "/profile?function=3"},
		{"profile-sampled", look(sampled) + "/profile"},
		{"plan", look(slow) + "/plan/1"},
		{"not-found", look(nowhere)},
	}
}

// inspect opens a page, and all that opens on it.
func (b *tab) inspect(name, path string) {
	b.t.Helper()
	b.open(path)
	if name == "not-found" {
		b.seen()
	}
	b.quiet(path)
	eval[any](b, `(document.querySelector('.statements details') || {}).open = true; null`)
	b.each(func(width int64, scheme string) {
		require.LessOrEqual(b.t, eval[int64](b, `document.documentElement.scrollWidth`), width, "%s scrolls sideways", path)
		picture := call(b, page.CaptureScreenshot, page.CaptureScreenshotParams{CaptureBeyondViewport: new(true), OptimizeForSpeed: new(true),
			Clip: &page.Viewport{Width: float64(width), Height: min(3000, eval[float64](b, `document.documentElement.scrollHeight`)), Scale: 1}}).Data
		require.NoError(b.t, os.WriteFile(filepath.Join("pictures", fmt.Sprintf("%s-%d-%s.png", name, width, scheme)), picture, 0o644))
	})
	// A list of hundreds is as good as its first rows, and axe looks at each element.
	eval[any](b, `for (const d of document.querySelectorAll('details')) if (!d.matches('.statements details ~ details')) d.open = true;
		for (const r of document.querySelectorAll('tbody tr:nth-child(n+30), svg.flame > :nth-child(n+60), .hotlist > :nth-child(n+5)')) r.remove(); null`)
	b.each(func(width int64, scheme string) {
		if (width == 1280) == (scheme == "light") { // two of the four are enough for both widths and both schemes
			require.Empty(b.t, b.violations(), "%s, %d pixels wide, %s", path, width, scheme)
		}
	})
}

// each calls a function for each width and scheme.
func (b *tab) each(f func(width int64, scheme string)) {
	b.t.Helper()
	for _, width := range []int64{1280, 360} {
		b.resize(width)
		for _, scheme := range []string{"light", "dark"} {
			b.scheme(scheme)
			f(width, scheme)
		}
	}
}

// violation is what axe finds wrong.
type violation struct {
	ID, Impact, Help string
	Nodes            []struct{ HTML, FailureSummary string }
}

// violations returns those that keep somebody from using a page.
func (b *tab) violations() (serious []violation) {
	b.t.Helper()
	if !eval[bool](b, `!!window.axe`) {
		script, err := os.ReadFile(axe)
		require.NoError(b.t, err)
		eval[any](b, string(script)+"; null")
	}
	raw := eval[string](b, `axe.run(document, {resultTypes: ['violations'], preload: false, iframes: false}).then(r => JSON.stringify(r.violations))`)
	var all []violation
	require.NoError(b.t, json.Unmarshal([]byte(raw), &all))
	for _, v := range all {
		if v.Impact == "serious" || v.Impact == "critical" {
			serious = append(serious, v)
		} else {
			b.t.Logf("axe: %s, %s: %s", v.Impact, v.ID, v.Help)
		}
	}
	return serious
}
