package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// patience is how long a step in the browser may take on a busy machine.
const patience = 60 * time.Second

// browse starts Chromium with a profile of its own. It trusts the certificate that has a fingerprint, and no other that
// it does not know.
func browse(t testing.TB, path, fingerprint string) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("ignore-certificate-errors-spki-list", fingerprint),
		chromedp.Flag("lang", "en-GB"),
		chromedp.Env("LANGUAGE=en_GB", "TZ=UTC"),
	)
	if os.Geteuid() == 0 { // Chromium's sandbox is not for root
		options = append(options, chromedp.NoSandbox)
	}
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, _ := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	t.Cleanup(func() { require.NoError(t, chromedp.Cancel(ctx)) })
	require.NoError(t, chromedp.Do(ctx))
	return ctx
}

// tab is a window of its own, with cookies of its own. It writes down what a person would call trouble: whatever is on the
// console, refused by the CSP, not there, or asked of another server.
type tab struct {
	t   testing.TB
	ctx context.Context
	url string // of the listener

	mu      sync.Mutex
	trouble []string
}

func newTab(t testing.TB, browser context.Context, url string) *tab {
	t.Helper()
	b := &tab{t: t, url: url}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(b.watch))
	t.Cleanup(cancel)
	b.ctx = ctx
	require.NoError(t, chromedp.Do(ctx)) // opens it
	call(b, audits.Enable, cdp.Empty{})
	b.resize(1280)
	return b
}

func (b *tab) watch(ev any) {
	switch ev := ev.(type) {
	case *runtime.EventConsoleAPICalled:
		b.note("console.%s: %s", ev.Type, ev.Args[0].Value)
	case *runtime.EventExceptionThrown:
		b.note("exception: %s %s", ev.ExceptionDetails.Text, ev.ExceptionDetails.Exception.Description)
	case *log.EventEntryAdded:
		b.note("log: %s %s", ev.Entry.Text, ev.Entry.URL)
	case *audits.EventIssueAdded:
		details, _ := json.Marshal(ev.Issue.Details)
		b.note("issue: %s %s", ev.Issue.Code, details)
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(ev.Request.URL, b.url+"/traces") && !strings.HasPrefix(ev.Request.URL, "data:") {
			b.note("asked elsewhere: %s", ev.Request.URL)
		}
	case *network.EventResponseReceived:
		if ev.Response.Status >= 400 {
			b.note("status %d: %s", ev.Response.Status, ev.Response.URL)
		}
	case *network.EventLoadingFailed:
		if !ev.Canceled {
			b.note("failed: %s %s", ev.ErrorText, ev.BlockedReason)
		}
	case *page.EventJavascriptDialogOpening:
		b.note("dialog: %s", ev.Message)
	}
}

func (b *tab) note(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trouble = append(b.trouble, fmt.Sprintf(format, args...))
}

// seen returns the trouble since it was asked for last.
func (b *tab) seen() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	seen := b.trouble
	b.trouble = nil
	return seen
}

// quiet holds that there was no trouble.
func (b *tab) quiet(where string) {
	b.t.Helper()
	require.Empty(b.t, b.seen(), where)
}

func (b *tab) step() (context.Context, context.CancelFunc) {
	return context.WithTimeout(b.ctx, patience)
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := b.step()
	defer cancel()
	require.NoError(b.t, chromedp.Do(ctx, steps...))
}

func run[T any](b *tab, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := b.step()
	defer cancel()
	v, err := chromedp.Run(ctx, action)
	require.NoError(b.t, err)
	return v
}

func call[P, R any](b *tab, command cdp.Command[P, R], params P) R {
	b.t.Helper()
	return run(b, func(ctx context.Context, t *chromedp.Target) (R, error) { return cdp.Call(ctx, t, command, params) })
}

// eval evaluates a script of the test, which the page's CSP does not concern.
func eval[T any](b *tab, script string) T {
	b.t.Helper()
	return run(b, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
}

// open goes to a page and returns the answer's status.
func (b *tab) open(path string) int {
	b.t.Helper()
	if !strings.HasPrefix(path, "https://") {
		path = b.url + path
	}
	return int(run(b, chromedp.NavigateResponse(path)).Status)
}

// follow clicks on what leads to another page, and returns that page's address without the listener's.
func (b *tab) follow(selector string) string {
	b.t.Helper()
	run(b, chromedp.WaitEvent(page.LoadEventFired, nil, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible)))
	return b.path()
}

func (b *tab) path() string {
	b.t.Helper()
	return strings.TrimPrefix(run(b, chromedp.Location()), b.url)
}

func (b *tab) click(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

func (b *tab) fill(selector, text string) {
	b.t.Helper()
	b.do(chromedp.SendKeys(chromedp.CSS(selector), text, chromedp.NodeVisible))
}

func (b *tab) text(selector string) string {
	b.t.Helper()
	return run(b, chromedp.Text(chromedp.CSS(selector), chromedp.NodeReady))
}

func (b *tab) resize(width int64) {
	b.t.Helper()
	call(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 800, DeviceScaleFactor: 1})
}

func (b *tab) scheme(name string) {
	b.t.Helper()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
}

func (b *tab) zone(name string) {
	b.t.Helper()
	call(b, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: name})
}

func (b *tab) scripts(on bool) {
	b.t.Helper()
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
}

// login goes to a page, for which it logs in.
func (b *tab) login(path string) {
	b.t.Helper()
	require.Equal(b.t, 200, b.open(path))
	require.Contains(b.t, b.path(), "/traces/login")
	b.fill("#key", readKey)
	require.Equal(b.t, path, b.follow("button.main"))
}
