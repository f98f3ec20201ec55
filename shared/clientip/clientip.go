// Package clientip finds the client that sent a request, also behind reverse proxies. It believes only what a trusted proxy
// wrote into the header, so that no client can choose its address.
package clientip

import (
	"iter"
	"net/http"
	"net/netip"
	"strings"
)

// maxHops bounds the work for one header. Real chains of proxies are shorter.
const maxHops = 32

// Of returns the address of the client that sent a request, without a zone, and as IPv4 when it is IPv4 in IPv6.
//
// It is the peer's. When that is a trusted proxy, it is the rightmost address of X-Forwarded-For that is
// not one, for each proxy writes whom it forwards for to the right of what it got. When all are trusted, it is
// the leftmost. What stands left of an entry that is no address is not read, for nobody vouches for it, nor
// what stands left of 32 proxies: the client is then the last proxy that was read. A peer whose address the
// host does not tell has the zero address.
func Of(r *http.Request, trusted Proxies) netip.Addr {
	client := parse(r.RemoteAddr)
	if !trusted.Contain(client) {
		return client
	}
	hops := 0
	for entry := range fromRight(r.Header["X-Forwarded-For"]) {
		hop := parse(entry)
		if hops++; !hop.IsValid() || hops > maxHops {
			return client
		}
		client = hop
		if !trusted.Contain(hop) {
			return client
		}
	}
	return client
}

// fromRight yields the entries of the header's lines, which are one list, beginning with the last.
func fromRight(lines []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := len(lines) - 1; i >= 0; i-- {
			for line, comma := lines[i], 0; comma >= 0; {
				comma = strings.LastIndexByte(line, ',')
				if !yield(strings.Trim(line[comma+1:], " \t")) {
					return
				}
				line = line[:max(comma, 0)]
			}
		}
	}
}

// parse reads an address that may have a port behind it, as a peer's has and some proxies write it. It
// returns the zero address for anything else.
func parse(text string) netip.Addr {
	addr, err := netip.ParseAddr(text)
	if err != nil {
		withPort, err := netip.ParseAddrPort(text)
		if err != nil {
			return netip.Addr{}
		}
		addr = withPort.Addr()
	}
	return addr.Unmap().WithZone("")
}

// Network returns what counts as one client where clients are counted: an IPv4 address, or the /64 that an
// IPv6 client has to choose its addresses from.
func Network(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap()
	network, _ := addr.Prefix(min(addr.BitLen(), 64)) // fails for no such length
	return network
}
