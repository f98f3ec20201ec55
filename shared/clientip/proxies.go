package clientip

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the reverse proxies that are believed. IPv4 addresses stand in them as such, not in IPv6.
type Proxies []netip.Prefix

// Contain tells whether an address is a trusted proxy's.
func (p Proxies) Contain(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(p, func(network netip.Prefix) bool { return network.Contains(addr) })
}

// UnmarshalText reads addresses and CIDRs with commas between them, and spaces around them if any. The error
// names every entry that is neither, and why.
func (p *Proxies) UnmarshalText(text []byte) error {
	var proxies Proxies
	var problems []string
	for entry := range strings.SplitSeq(string(text), ",") {
		network, err := parseNetwork(strings.TrimSpace(entry))
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		proxies = append(proxies, network)
	}
	if len(problems) > 0 {
		return errors.New(strings.Join(problems, "; "))
	}
	*p = proxies
	return nil
}

// mappedBits is the length of the prefix under which IPv6 holds IPv4 addresses.
const mappedBits = 96

func parseNetwork(entry string) (netip.Prefix, error) {
	if strings.Contains(entry, "/") {
		network, err := netip.ParsePrefix(entry)
		mapped := network.Addr().Is4In6()
		if err != nil || mapped && network.Bits() < mappedBits {
			return netip.Prefix{}, fmt.Errorf("%q is not a CIDR", entry)
		}
		if mapped {
			network = netip.PrefixFrom(network.Addr().Unmap(), network.Bits()-mappedBits)
		}
		return network.Masked(), nil
	}
	addr, err := netip.ParseAddr(entry)
	_, portErr := netip.ParseAddrPort(entry)
	switch {
	case entry == "":
		return netip.Prefix{}, errors.New("an entry is empty")
	case portErr == nil:
		return netip.Prefix{}, fmt.Errorf("%q has a port, which a proxy is not known by", entry)
	case err != nil:
		return netip.Prefix{}, fmt.Errorf("%q is not an address (a host's name is none)", entry)
	case addr.Zone() != "":
		return netip.Prefix{}, fmt.Errorf("%q has a zone, which a proxy is not known by", entry)
	}
	addr = addr.Unmap()
	return netip.PrefixFrom(addr, addr.BitLen()), nil
}
