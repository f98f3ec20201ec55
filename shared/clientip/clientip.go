// Package clientip finds the client that sent a request, also behind reverse proxies. It believes only the header entries that a
// trusted proxy wrote, so that no client can choose its own address.
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
// Usually the client is the peer. If the peer is a trusted proxy, the client is the rightmost address in X-Forwarded-For that
// is not a trusted proxy, because each proxy appends the address it forwards for at the right. If all addresses are trusted,
// the client is the leftmost. Reading stops at an entry that is no address, since nobody vouches for what stands left of it,
// and after 32 proxies; the client is then the last proxy that was read. If the host does not know the peer's address, the
// result is the zero address.
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

// fromRight yields the header's entries from the last to the first. Several lines of the header are one list.
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

// parse reads an address. A port may follow it, as in a peer's address and in what some proxies write. For anything else it
// returns the zero address.
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

// Network returns what counts as one client where clients are counted: an IPv4 address, or an IPv6 /64, from which one client
// can take any address.
func Network(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap()
	network, _ := addr.Prefix(min(addr.BitLen(), 64)) // fails for no such length
	return network
}
