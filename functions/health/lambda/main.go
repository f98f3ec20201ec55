// Command lambda is the AWS Lambda host of health, behind a function URL.
package main

import (
	"log"
	"os"

	"github.com/aws/aws-lambda-go/lambdaurl"

	"github.com/bitville/listener/functions/health"
	"github.com/bitville/listener/shared/lambdahost"
)

// version is set by the linker; see the Makefile.
var version = ""

func main() {
	f, err := lambdahost.New(os.Environ(), os.Stderr, false, version)
	if err != nil {
		log.Fatal(err)
	}
	lambdaurl.Start(lambdahost.Handler(f.Deps, health.New(health.Config{Store: f.Store, Now: f.Now, Version: f.Version})))
}
