package browser

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// TestWithoutScript holds that every page can be read, logged in to and out of where scripts are off.
func TestWithoutScript(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	l := start(t)
	send(t, l, real(t, time.Now()))
	b := newTab(t, browse(t, browser, fingerprint(t, l)), l.URL)
	b.login("/traces/shop")
	all := pages(b)
	b.scripts(false)
	for _, p := range all {
		status := b.open(p.path)
		require.Equal(t, map[bool]int{true: 404, false: 200}[p.name == "not-found"], status, p.path)
		require.NotEmpty(t, b.text("h1"), p.path)
		require.Greater(t, len(b.text("main")), 100, p.path)
		require.Zero(t, eval[int](b, `document.querySelectorAll('button.copy:not([hidden]), input.filter:not([hidden]), .find:not([hidden]), .unzoom:not([hidden])').length`),
			"%s has a control that does nothing", p.path)
		if p.name == "not-found" {
			b.seen()
		}
		b.quiet(p.path)
	}
	b.open("/traces/shop/" + product)
	b.click(".statements summary")
	require.Contains(t, b.text(".statements details[open]"), "Index Scan")
	require.Equal(t, "2026", eval[string](b, `document.querySelector('time').dateTime.slice(0, 4)`))
	require.Contains(t, b.text("time"), "UTC")
	b.fill("input[name=q]", sampled)
	require.Equal(t, "/traces/shop/"+sampled, b.follow(".search button"))
	require.NotEmpty(t, eval[string](b, `document.querySelector('svg.flame text').textContent`), "boxes have names")
	require.Equal(t, "/traces/login", b.follow(".top form[action$=logout] button"))
}

// TestKeyboard opens the look's parts without a mouse.
func TestKeyboard(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	l := start(t)
	send(t, l, real(t, time.Now()))
	b := newTab(t, browse(t, browser, fingerprint(t, l)), l.URL)
	b.login("/traces/shop/" + slow)

	b.press(kb.Tab)
	require.Equal(t, "Skip to the page", b.focused("textContent"))
	b.press(kb.Enter)
	b.tabTo(`summary.row`)
	require.Equal(t, "solid", eval[string](b, `getComputedStyle(document.activeElement).outlineStyle`), "where the focus is, is seen")
	b.press(kb.Enter)
	require.True(t, eval[bool](b, `document.activeElement.parentElement.open`))
	b.tabTo(`.opened a`)
	b.tabTo(`.flamebar .find`)
	b.tabTo(`svg.flame .box`)
	first := b.focused("querySelector('title').textContent")
	b.press(kb.ArrowDown)
	require.NotEqual(t, first, b.focused("querySelector('title').textContent"))
	b.press(kb.ArrowDown)
	b.press(kb.Enter)
	require.Equal(t, "100%", b.focused("getAttribute('width')"))
	b.press(kb.Escape)
	require.NotEqual(t, "", b.focused("querySelector('title').textContent"))
	b.tabTo(`.hot summary`)
	b.tabTo(`th[data-sort] button`)
	b.press(kb.Enter)
	require.Equal(t, "descending", b.focused("parentElement.getAttribute('aria-sort')"))
	b.tabTo(`table.functions td a`)
	b.tabTo(`.words summary`)
	b.press(kb.Enter)
	require.Contains(t, b.text(".words[open]"), "planning, network")
	b.quiet("keyboard")
}

func (b *tab) press(key string) {
	b.t.Helper()
	b.do(chromedp.KeyEvent(key))
}

// focused returns a property of the element that has the focus.
func (b *tab) focused(property string) string {
	b.t.Helper()
	return eval[string](b, `document.activeElement.`+property)
}

// tabTo goes forward to what a selector matches.
func (b *tab) tabTo(selector string) {
	b.t.Helper()
	for range 120 {
		b.press(kb.Tab)
		if eval[bool](b, `document.activeElement.matches('`+selector+`')`) {
			return
		}
	}
	require.Fail(b.t, "the keyboard does not reach "+selector)
}

// TestTimes holds that times are in the reader's zone, with UTC in their titles.
func TestTimes(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	l := start(t)
	send(t, l, real(t, time.Now()))
	b := newTab(t, browse(t, browser, fingerprint(t, l)), l.URL)
	b.zone("Asia/Kathmandu") // 5:45 ahead
	b.login("/traces/shop/" + product)
	at, err := time.Parse(time.RFC3339Nano, eval[string](b, `document.querySelector('time').dateTime`))
	require.NoError(t, err)
	require.Contains(t, b.text("time"), at.Add(5*time.Hour+45*time.Minute).Format("15:04:05"))
	require.Equal(t, at.Format("2 Jan 15:04:05.000 UTC"), eval[string](b, `document.querySelector('time').title`))
	b.open("/traces/shop")
	require.Contains(t, b.text("tbody time"), at.Add(5*time.Hour+45*time.Minute).Format(":04:")) // both zones differ in the minutes
	axis := eval[[]string](b, `[...document.querySelectorAll('.axis text')].map(e => e.textContent + ' ' + e.dataset.time)`)
	text, utc, _ := strings.Cut(axis[0], " ")
	at, err = time.Parse(time.RFC3339Nano, utc)
	require.NoError(t, err)
	require.Equal(t, at.Add(5*time.Hour+45*time.Minute).Format("15:04"), text)
}

// TestLink follows a link that has the read key in it: the key is neither in the address nor in the history.
func TestLink(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	l := start(t)
	send(t, l, real(t, time.Now()))
	b := newTab(t, browse(t, browser, fingerprint(t, l)), l.URL)
	require.Equal(t, 200, b.open("/traces/shop/"+product+"?key="+url.QueryEscape(readKey)))
	require.Equal(t, "/traces/shop/"+product, b.path())
	history := run(b, chromedp.NavigationEntries())
	for _, e := range history.Entries {
		require.NotContains(t, e.URL, readKey)
	}
	require.Equal(t, 200, b.open("/traces/shop"))
	require.NotContains(t, eval[string](b, `document.referrer + performance.getEntriesByType('navigation')[0].name`), readKey)
	b.cookie()
	b.quiet("the link")
	require.NotContains(t, l.Log.String(), readKey)
}
