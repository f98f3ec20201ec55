// Package compression recognizes compressed bytes that a sender forgot to announce, or announced as something else.
package compression

import "bytes"

// Name names the format that bytes begin as when they were compressed, "" when they show none of those that do
// show: brotli and bare deflate have no mark.
func Name(b []byte) string {
	for _, c := range []struct{ prefix, name string }{
		{"\x1f\x8b", "gzip"}, {"\x28\xb5\x2f\xfd", "zstd"}, {"BZh", "bzip2"}, {"\xfd7zXZ", "xz"}, {"\x04\x22\x4d\x18", "lz4"},
		{"PK\x03\x04", "zip"}, {"\xff\x06\x00\x00sNaPpY", "snappy"}, {"\x1f\x9d", "compress"},
	} {
		if bytes.HasPrefix(b, []byte(c.prefix)) {
			return c.name
		}
	}
	// The two bytes of RFC 1950's header: deflate, a window of 32 KiB, a check.
	if len(b) >= 2 && b[0] == 0x78 && (int(b[0])<<8|int(b[1]))%31 == 0 {
		return "zlib"
	}
	return ""
}

// Remedy says what to do with a body that was compressed by a format that Name names.
func Remedy(compression string) string {
	switch compression {
	case "gzip", "zstd":
		return "it is " + compression + "; send the header Content-Encoding: " + compression + ", and compress once"
	case "zlib":
		return "it is zlib (deflate), as PHP's gzcompress makes it; use gzencode, and send the header Content-Encoding: gzip"
	}
	return "it is " + compression + "; send gzip or zstd, with its Content-Encoding"
}
