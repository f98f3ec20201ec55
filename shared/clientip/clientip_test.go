package clientip_test

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/clientip"
)

// from makes a request of a peer, with the lines of its header.
func from(peer string, lines ...string) *http.Request {
	r := &http.Request{RemoteAddr: peer, Header: make(http.Header)}
	for _, line := range lines {
		r.Header.Add("x-forwarded-for", line)
	}
	return r
}

func TestOf(t *testing.T) {
	const (
		trusted = "10.0.0.0/8,2001:db8::/32,fe80::1"
		proxy   = "10.0.0.1:4000"
	)
	for _, c := range []struct {
		name, peer string
		lines      []string
		want       string
	}{
		{"a peer", "192.0.2.1:4000", nil, "192.0.2.1"},
		{"a peer on IPv6", "[2001:dead::1]:4000", nil, "2001:dead::1"},
		{"a peer with a zone", "[fe80::2%eth0]:4000", nil, "fe80::2"},
		{"a peer on IPv4 in IPv6", "[::ffff:192.0.2.1]:4000", nil, "192.0.2.1"},
		{"a peer of a function URL", "192.0.2.1", nil, "192.0.2.1"},
		{"a peer of a function URL on IPv6", "2001:dead::1", nil, "2001:dead::1"},
		{"a stranger's header", "192.0.2.1:4000", []string{"198.51.100.7"}, "192.0.2.1"},
		{"a stranger that names a proxy", "192.0.2.1:4000", []string{"10.0.0.1"}, "192.0.2.1"},

		{"a proxy itself", proxy, nil, "10.0.0.1"},
		{"one proxy", proxy, []string{"192.0.2.1"}, "192.0.2.1"},
		{"one proxy on IPv6", "[2001:db8::7]:4000", []string{"2001:dead::1"}, "2001:dead::1"},
		{"one proxy on IPv4 in IPv6", "[::ffff:10.0.0.1]:4000", []string{"192.0.2.1"}, "192.0.2.1"},
		{"one proxy with a zone", "[fe80::1%eth0]:4000", []string{"192.0.2.1"}, "192.0.2.1"},
		{"one proxy before a function URL", "10.0.0.1", []string{"192.0.2.1, 10.0.0.1"}, "192.0.2.1"},
		{"a chain of proxies", proxy, []string{"192.0.2.1, 10.0.0.3, 10.0.0.2"}, "192.0.2.1"},
		{"a chain in several lines", proxy, []string{"192.0.2.1", "10.0.0.3,10.0.0.2"}, "192.0.2.1"},
		{"what the client claims counts for nothing", proxy, []string{"198.51.100.7, 192.0.2.1"}, "192.0.2.1"},
		{"in a line of its own either", proxy, []string{"198.51.100.7", "192.0.2.1"}, "192.0.2.1"},
		{"not as a proxy either", proxy, []string{"10.0.0.9, 192.0.2.1, 10.0.0.2"}, "192.0.2.1"},
		{"all are proxies", proxy, []string{"10.0.0.4, 10.0.0.3, 10.0.0.2"}, "10.0.0.4"},
		{"IPv4 in IPv6 in a header", proxy, []string{"192.0.2.1, ::ffff:10.0.0.3"}, "192.0.2.1"},
		{"a client on IPv4 in IPv6", proxy, []string{"::ffff:192.0.2.1"}, "192.0.2.1"},
		{"a client with a zone", proxy, []string{"fe80::2%eth0"}, "fe80::2"},
		{"with ports", proxy, []string{"192.0.2.1:567, 10.0.0.2:80"}, "192.0.2.1"},
		{"with ports on IPv6", proxy, []string{"[2001:dead::1]:567,[2001:db8::1]:80"}, "2001:dead::1"},
		{"blanks", proxy, []string{" \t192.0.2.1 ,\t10.0.0.2\t"}, "192.0.2.1"},

		{"a client before 31 proxies more", proxy, []string{"192.0.2.1" + strings.Repeat(",10.0.0.2", 31)}, "192.0.2.1"},
		{"a client before too many proxies", proxy, []string{"192.0.2.1, 10.0.0.3" + strings.Repeat(",10.0.0.2", 31)}, "10.0.0.3"},
		{"no address", proxy, []string{"unknown"}, "10.0.0.1"},
		{"nothing", proxy, []string{""}, "10.0.0.1"},
		{"no address left of a proxy", proxy, []string{"192.0.2.1, unknown, 10.0.0.2"}, "10.0.0.2"},
		{"nothing left of a proxy", proxy, []string{"192.0.2.1,, 10.0.0.2"}, "10.0.0.2"},
		{"a comma behind", proxy, []string{"192.0.2.1,"}, "10.0.0.1"},
		{"a comma in front", proxy, []string{",10.0.0.2"}, "10.0.0.2"},
		{"an empty line left of a proxy", proxy, []string{"192.0.2.1", "", "10.0.0.2"}, "10.0.0.2"},
		{"no address left of the client", proxy, []string{"<script>, 192.0.2.1"}, "192.0.2.1"},
		{"a host's name", proxy, []string{"client.example"}, "10.0.0.1"},
		{"in quotes", proxy, []string{`"192.0.2.1"`}, "10.0.0.1"},
		{"a port that is none", proxy, []string{"192.0.2.1:99999"}, "10.0.0.1"},
		{"a CIDR", proxy, []string{"192.0.2.0/24"}, "10.0.0.1"},

		{"no peer", "", []string{"192.0.2.1"}, "invalid IP"},
		{"a peer on a socket file", "@", []string{"192.0.2.1"}, "invalid IP"},
		{"a peer that is a name", "localhost:4000", []string{"192.0.2.1"}, "invalid IP"},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, clientip.Of(from(c.peer, c.lines...), proxies(t, trusted)).String())
		})
	}
	require.Equal(t, "10.0.0.1", clientip.Of(from(proxy, "192.0.2.1"), nil).String(), "nobody is trusted unless it is set")
}

func TestNetwork(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1":                   "192.0.2.1/32",
		"::ffff:192.0.2.1":            "192.0.2.1/32",
		"2001:db8:1:2:3:4:5:6":        "2001:db8:1:2::/64",
		"2001:db8:1:2:ffff::":         "2001:db8:1:2::/64",
		"2001:db8:1:3::":              "2001:db8:1:3::/64",
		"fe80::1%eth0":                "fe80::/64",
		"::1":                         "::/64",
		"::ffff:192.0.2.1%eth0":       "192.0.2.1/32",
		"64:ff9b:1:fffe::192.0.2.128": "64:ff9b:1:fffe::/64",
	} {
		require.Equal(t, want, clientip.Network(netip.MustParseAddr(address)).String(), address)
	}
	require.Equal(t, netip.Prefix{}, clientip.Network(netip.Addr{}))
}

// What Of promises, whatever is sent: an untrusted peer is the client; a client that is a trusted proxy means that
// no other address was vouched for; and the address is one that can be compared.
func FuzzClientIP(f *testing.F) {
	for _, seed := range [][4]string{
		{"10.0.0.1:80", "192.0.2.1", "10.0.0.2", "10.0.0.0/8"},
		{"10.0.0.1:80", "192.0.2.1:80,x", "[::1]:80, 10.0.0.2", "10.0.0.1,10.0.0.2"},
		{"[fe80::1%eth0]:80", "::ffff:192.0.2.1%a", ",,,", "fe80::/10,::/0"},
		{"10.0.0.1", "10.0.0.3", "", "0.0.0.0/0"},
		{"", "a", "b", "c"},
		{"10.0.0.1", "192.0.2.1", "10.0.0.1" + strings.Repeat(",10.0.0.2", 31), "10.0.0.0/8"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	f.Fuzz(func(t *testing.T, peer, line1, line2, setting string) {
		var trusted clientip.Proxies
		_ = trusted.UnmarshalText([]byte(setting))
		for _, network := range trusted {
			require.Equal(t, network.Masked(), network)
			require.False(t, network.Addr().Is4In6())
		}
		alone := clientip.Of(from(peer), nil)
		got := clientip.Of(from(peer, line1, line2), trusted)
		require.Equal(t, got.Unmap().WithZone(""), got)
		_ = clientip.Network(got)
		if !trusted.Contain(alone) {
			require.Equal(t, alone, got)
			return
		}
		// The entries that are addresses, from the right to the first that is none, or the last that is read.
		var hops []netip.Addr
		for _, entry := range slices.Backward(strings.Split(line1+","+line2, ",")) {
			hop := clientip.Of(from(strings.Trim(entry, " \t")), nil)
			if !hop.IsValid() || len(hops) == 32 {
				break
			}
			hops = append(hops, hop)
		}
		if trusted.Contain(got) {
			for _, hop := range hops {
				require.True(t, trusted.Contain(hop), "%s was passed over", hop)
			}
			return
		}
		first := slices.IndexFunc(hops, func(hop netip.Addr) bool { return !trusted.Contain(hop) })
		require.GreaterOrEqual(t, first, 0)
		require.Equal(t, hops[first], got)
	})
}

func BenchmarkOf(b *testing.B) {
	trusted := proxies(b, strings.Repeat("192.0.2.0/24,", 20)+"10.0.0.0/8")
	for name, line := range map[string]string{
		"one proxy":         "192.0.3.1",
		"28 KiB of proxies": strings.Repeat("10.0.0.1,", 28<<10/9) + "10.0.0.1",
		"28 KiB of commas":  strings.Repeat(",", 28<<10),
	} {
		b.Run(name, func(b *testing.B) {
			r := from("10.0.0.1:4000", line)
			b.ReportAllocs()
			for b.Loop() {
				clientip.Of(r, trusted)
			}
		})
	}
}
