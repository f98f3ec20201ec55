package browser

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// TestWalk goes the way of somebody who looks for a slow page's reason, from the login to the logout.
func TestWalk(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	l := start(t)
	send(t, l, real(t, time.Now()))
	b := newTab(t, browse(t, browser, fingerprint(t, l)), l.URL)

	b.open("/traces/shop/requests?since=1h")
	require.Equal(t, "key", eval[string](b, `document.activeElement.id`), "one can type at once")
	b.fill("#key", "not-the-read-key")
	b.follow("button.main")
	require.Contains(t, b.text(".error"), "Unknown read key")
	for _, trouble := range b.seen() {
		require.Contains(t, trouble, "401", "the browser says itself that the key was wrong")
	}
	b.fill("#key", readKey)
	require.Equal(t, "/traces/shop/requests?since=1h", b.follow("button.main"), "the page that was asked for")
	cookie := b.cookie()
	require.True(t, cookie.HTTPOnly && cookie.Secure && cookie.Session == false)
	require.Equal(t, "Lax", string(cookie.SameSite))
	require.Equal(t, "/", cookie.Path)
	require.Equal(t, "127.0.0.1", cookie.Domain, "of this host alone")
	require.True(t, strings.HasPrefix(cookie.Name, "__Host-"))
	require.InDelta(t, time.Now().Add(12*time.Hour).Unix(), cookie.Expires, 60)

	require.Equal(t, "/traces/shop", b.follow(".brand"), "the only project")
	require.Contains(t, b.text("main"), "Slowest requests")
	require.Equal(t, "/traces/shop/requests", b.follow("nav a[href$='/requests']"))
	require.Equal(t, []string{"1,843", "117", "108"}, eval[[]string](b, `[...document.querySelectorAll('tbody .strong')].slice(0, 3).map(c => c.textContent)`))
	b.fill("input.filter", "category")
	require.Equal(t, 3, eval[int](b, `[...document.querySelectorAll('tbody tr')].filter(r => r.offsetHeight).length`))
	b.click("th[data-sort=num] button")
	require.Equal(t, 1, eval[int](b, `document.querySelectorAll('th[aria-sort]').length`))

	b.fill("input[name=q]", "PHP Warning: slow page, request "+strings.ToUpper(strings.ReplaceAll(slow, "-", ""))+" took 1.8 s")
	require.Equal(t, "/traces/shop/"+slow, b.follow(".search button"), "the id in a pasted line")
	require.Contains(t, b.text(".verdict"), "Postgres took 754 of 1,843 ms")
	require.Contains(t, b.text(".findings"), "200 times")
	require.NotContains(t, b.text("main"), "abc123", "values are masked")
	require.NotContains(t, b.text("main"), "0123456789")

	row := ".statements details"
	require.False(t, eval[bool](b, `document.querySelector('`+row+`').open`))
	b.click(row + " summary")
	require.Contains(t, b.text(row+"[open] tr.worst"), "Sort")
	statement := eval[string](b, `document.querySelector('.findings a.sql').hash`)
	b.click(".findings a.sql")
	require.True(t, eval[bool](b, `document.querySelector('`+statement+`').open`), "a finding leads to its statement, and opens it")

	b.flame()
	b.quiet("the look")

	plan := b.follow(row + "[open] .opened > p a[href*='/plan/']")
	require.Contains(t, plan, slow+"/plan/")
	require.Contains(t, b.text("table.plan"), "Gather Merge")
	b.open("/traces/shop/" + slow)
	require.Equal(t, "/traces/shop/"+slow+"/profile", b.follow("#profile h2 a"))
	b.flame()
	require.Contains(t, b.follow("table.functions a"), "/profile?function=1#function")
	require.Contains(t, b.text("#function"), "Callers")

	b.follow("nav a[href$='/routes']")
	require.Equal(t, "checkout", b.text("tbody td.name"), "most time first")
	b.follow("tbody td.name a")
	require.Contains(t, b.text("main"), "SELECT session FROM events")
	b.follow("nav a[href$='/statements']")
	b.follow("tbody td.name a")
	require.Contains(t, b.text("main"), "checkout")
	b.quiet("routes and statements")

	require.Equal(t, "/traces/login", b.follow(".top form[action$=logout] button"))
	require.Empty(t, call(b, network.GetCookies, network.GetCookiesParams{}).Cookies)
	b.open("/traces/shop")
	require.Contains(t, b.path(), "/traces/login?next=")
	b.quiet("log out")
	require.Equal(t, http.StatusOK, b.open("/health"))
}

// cookie returns the session's.
func (b *tab) cookie() *network.Cookie {
	b.t.Helper()
	cookies := call(b, network.GetCookies, network.GetCookiesParams{}).Cookies
	require.Len(b.t, cookies, 1)
	return cookies[0]
}

// flame zooms into a flame graph, out again, and searches it.
func (b *tab) flame() {
	b.t.Helper()
	const boxes = `[...document.querySelectorAll('svg.flame .box')]`
	const visible = boxes + `.filter(e => e.getAttribute('visibility') !== 'hidden').length`
	all := eval[int](b, visible)
	require.Greater(b.t, all, 100)
	const deep = `svg.flame > .box:nth-of-type(9)`
	name := eval[string](b, `document.querySelector('`+deep+` title').textContent`)
	b.click(deep)
	require.Less(b.t, eval[int](b, visible), all)
	require.Equal(b.t, "100%", eval[string](b, `document.querySelector('`+deep+`').getAttribute('width')`))
	require.Equal(b.t, name, b.text(".flamebar .status"))
	b.click(".unzoom")
	require.Equal(b.t, all, eval[int](b, visible))
	b.fill(".flamebar .find", "doctrine")
	hits := eval[int](b, boxes+`.filter(e => e.classList.contains('hit')).length`)
	require.Greater(b.t, hits, 5)
	require.Regexp(b.t, `^\d+ of \d+ boxes$`, b.text(".flamebar .status"))
	b.do(chromedp.Clear(chromedp.CSS(".flamebar .find")))
}
