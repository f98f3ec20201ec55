//go:build !torture

package main

import "time"

// purgeSchedule is when expired records are purged, as cron writes it.
const purgeSchedule = "@hourly"

func now() time.Time { return time.Now() }
