// Command lambda is the AWS Lambda host of refusals, behind a function URL.
package main

import (
	"log"
	"os"

	"github.com/aws/aws-lambda-go/lambdaurl"

	"github.com/bitville/listener/functions/refusals"
	"github.com/bitville/listener/shared/lambdahost"
)

func main() {
	f, err := lambdahost.New(os.Environ(), os.Stderr, true, "")
	if err != nil {
		log.Fatal(err)
	}
	lambdaurl.Start(lambdahost.Handler(f.Deps, refusals.New(refusals.Config{Config: f.Intake, Store: f.Refusals})))
}
