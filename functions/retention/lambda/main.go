// Command lambda is the AWS Lambda host of retention, run by a schedule.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"github.com/bitville/listener/functions/retention"
	"github.com/bitville/listener/shared/lambdahost"
)

func main() {
	f, err := lambdahost.New(os.Environ(), os.Stderr, false, "")
	if err != nil {
		log.Fatal(err)
	}
	cfg := retention.Config{Store: f.DB, Log: f.Log, Now: f.Now, Retention: f.Retention}
	// Whatever the event holds, it means "now": a rule's and a schedule's have different forms.
	lambda.Start(func(ctx context.Context, _ json.RawMessage) error {
		_, err := retention.Run(ctx, cfg)
		return err
	})
}
