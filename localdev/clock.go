//go:build !torture

package main

import "time"

func now() time.Time { return time.Now() }
