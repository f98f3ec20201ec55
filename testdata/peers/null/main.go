// Command null is the ceiling of any handler on Go's HTTP server: it reads each body, stores nothing and answers as the
// listener does.
package main

import (
	"io"
	"log"
	"net/http"
	"os"
)

func main() {
	http.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "OK") })
	http.HandleFunc("POST /", func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"accepted":1,"duplicates":0,"rejected":[]}`)
	})
	log.Fatal(http.ListenAndServeTLS("127.0.0.1:"+os.Getenv("PORT"), os.Getenv("CERT"), os.Getenv("TLS_KEY"), nil))
}
