// Command lambdahello is the least function behind a function URL that Go can be: what cold starts are
// measured against. /panic and /stall show what becomes of a function that takes no care of either.
package main

import (
	"io"
	"net/http"

	"github.com/aws/aws-lambda-go/lambdaurl"
)

func main() {
	lambdaurl.Start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/panic":
			panic("no care was taken")
		case "/stall":
			select {}
		}
		_, _ = io.WriteString(w, "Hello")
	}))
}
