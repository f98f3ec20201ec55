// Command lambda is the AWS Lambda host of importotlp, behind a function URL.
package main

import (
	"log"
	"os"

	"github.com/aws/aws-lambda-go/lambdaurl"

	"github.com/bitville/listener/functions/importotlp"
	"github.com/bitville/listener/shared/lambdahost"
)

func main() {
	f, err := lambdahost.New(os.Environ(), os.Stderr, true, "")
	if err != nil {
		log.Fatal(err)
	}
	lambdaurl.Start(lambdahost.Handler(f.Deps, importotlp.New(f.Intake)))
}
