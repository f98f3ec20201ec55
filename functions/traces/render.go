package traces

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"time"

	"github.com/bitville/listener/shared/look"
	"github.com/bitville/listener/shared/view"
	"github.com/bitville/listener/shared/web"
)

//go:embed templates assets
var files embed.FS

const assetsPath = Path + "assets/"

var (
	assets    = readAssets()
	version   = hashOf(assets) // in the assets' addresses, so that browsers may keep them
	templates = parseTemplates()
)

// frame is what every page has around its view.
type frame struct {
	Title    string
	Template string // another one than the page's own
	Project  string // "" on pages of none
	Nav      string
	Since    time.Duration // of a list
	Host     string        // where this listener is reached
	LoggedIn bool
	LeftOut  int // rows of a list that are not drawn
}

// A page has 300 KB at most: one that comes out larger is drawn again with half of each list, and so on. Whole plans and
// profiles are whole.
const (
	maxPage = 300 << 10
	maxPart = 16
)

// fit returns what a page draws of a view: a part of what it has.
func (h *handler) fit(f *frame, v any, part int) any {
	most := 500 / part
	switch v := v.(type) {
	case *view.Look:
		return drawLook(v, h.Values, part)
	case *view.Requests:
		shown := *v
		shown.Requests = v.Requests[:min(len(v.Requests), most)]
		f.LeftOut = len(v.Requests) - len(shown.Requests)
		return &shown
	case *view.Routes:
		shown := *v
		shown.Routes = v.Routes[:min(len(v.Routes), most)]
		f.LeftOut = len(v.Routes) - len(shown.Routes) + v.LeftOut
		return &shown
	case *view.Statements:
		shown := *v
		shown.Statements = v.Statements[:min(len(v.Statements), most)]
		f.LeftOut = len(v.Statements) - len(shown.Statements) + v.LeftOut
		return &shown
	}
	return v
}

// html answers with a page.
func (h *handler) html(w *web.Response, status int, name string, f *frame, v any) error {
	if f.Template != "" {
		name = f.Template
	}
	var page bytes.Buffer
	for part := 1; ; part *= 2 {
		page.Reset()
		data := struct {
			*frame
			View any
			Now  look.Timestamp
		}{f, h.fit(f, v, part), look.Timestamp{Time: h.Now()}}
		if err := templates[name].ExecuteTemplate(&page, "frame.html", data); err != nil {
			return fmt.Errorf("draw the page: %w", err)
		}
		if page.Len() <= maxPage || part == maxPart {
			break
		}
	}
	w.Data(status, "text/html; charset=utf-8", page.Bytes())
	return nil
}

func parseTemplates() map[string]*template.Template {
	frame := template.Must(template.New("").Funcs(functions).ParseFS(files, "templates/frame.html", "templates/parts/*.html"))
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		panic(err)
	}
	all := map[string]*template.Template{}
	for _, name := range names {
		base := path.Base(name)
		if base == "frame.html" {
			continue
		}
		all[base[:len(base)-len(".html")]] = template.Must(template.Must(frame.Clone()).ParseFS(files, name))
	}
	return all
}

func readAssets() map[string][]byte {
	entries, err := files.ReadDir("assets")
	if err != nil {
		panic(err)
	}
	all := map[string][]byte{}
	for _, e := range entries {
		if all[e.Name()], err = files.ReadFile("assets/" + e.Name()); err != nil {
			panic(err)
		}
	}
	return all
}

func hashOf(files map[string][]byte) string {
	h := sha256.New()
	for _, name := range []string{"icon.svg", "script.js", "style.css"} {
		h.Write(files[name])
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}

var contentTypes = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}

// asset answers with a file of this package.
func asset(name string) web.Handler {
	return func(w *web.Response, _ *http.Request) error {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		w.Header().Del("Vary")
		w.Data(http.StatusOK, contentTypes[path.Ext(name)], assets[name])
		return nil
	}
}
