// Package cabi is how Go and SQLite, whose C was translated to Go, see one another's memory and functions.
package cabi

import (
	"unsafe"

	"modernc.org/libc"
)

// New returns memory that the collector neither moves nor frees.
func New[T any](tls *libc.TLS) *T {
	var zero T
	p := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(zero)))
	if p == 0 {
		panic("no memory for SQLite's structures")
	}
	*At[T](p) = zero
	return At[T](p)
}

// At is what stands at an address of SQLite's memory.
func At[T any](p uintptr) *T { return *(**T)(unsafe.Pointer(&p)) }

// Bytes are those that stand at an address of SQLite's memory.
func Bytes(p uintptr, n int32) []byte { return unsafe.Slice(At[byte](p), n) }

// Func is what SQLite's code calls a function by: the address of its function value. It must be declared in a package,
// and so stay where it is.
func Func[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }

// Go is the function that SQLite's code calls by an address.
func Go[F any](p uintptr) F { return *(*F)(unsafe.Pointer(&p)) }
