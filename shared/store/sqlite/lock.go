//go:build !linux

package sqlite

import "os"

func tryLock(*os.File) bool { return true }

func isLockedByAnother(*os.File) bool { return false }
