// Command lambda is the AWS Lambda host of ingestphp, behind a function URL.
package main

import (
	"log"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambdaurl"

	"github.com/bitville/listener/functions/ingestphp"
	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/intake"
	"github.com/bitville/listener/shared/lambdahost"
)

func main() {
	f, err := lambdahost.New(os.Environ(), os.Stderr, true)
	if err != nil {
		log.Fatal(err)
	}
	lambdaurl.Start(ingestphp.New(intake.Config{
		Keys:      auth.NewKeys(f.Config.Keys),
		Store:     f.DB,
		Log:       f.Log,
		Now:       time.Now,
		Retention: f.Config.Retention,
		Bodies:    intake.NewBodies(f.Config.MaxBodyBytes),
		Throttle:  auth.NewThrottle(f.Config.AuthFailuresPerMinute, time.Now),
		Proxies:   f.Config.TrustedProxies,
	}))
}
