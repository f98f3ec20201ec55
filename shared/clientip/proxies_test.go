package clientip_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/clientip"
)

// proxies reads a setting that is right.
func proxies(t testing.TB, text string) (p clientip.Proxies) {
	t.Helper()
	if text != "" {
		require.NoError(t, p.UnmarshalText([]byte(text)))
	}
	return p
}

func TestProxies(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"10.0.0.1", []string{"10.0.0.1/32"}},
		{"2001:db8::1", []string{"2001:db8::1/128"}},
		{"10.0.0.0/8,192.0.2.7", []string{"10.0.0.0/8", "192.0.2.7/32"}},
		{" 10.0.0.0/8 ,\t::1\n", []string{"10.0.0.0/8", "::1/128"}},
		{"10.1.2.3/8", []string{"10.0.0.0/8"}},
		{"2001:db8::1/32", []string{"2001:db8::/32"}},
		{"::ffff:10.0.0.1", []string{"10.0.0.1/32"}},
		{"::ffff:10.1.0.0/112", []string{"10.1.0.0/16"}},
		{"::ffff:0:0/96", []string{"0.0.0.0/0"}},
		{"0.0.0.0/0,::/0", []string{"0.0.0.0/0", "::/0"}},
	} {
		t.Run(c.text, func(t *testing.T) {
			var got []string
			for _, network := range proxies(t, c.text) {
				got = append(got, network.String())
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestProxiesThatAreNone(t *testing.T) {
	const notCIDR, notAddress = " is not a CIDR", " is not an address (a host's name is none)"
	for _, c := range []struct{ text, message string }{
		{"", "an entry is empty"},
		{" ", "an entry is empty"},
		{"10.0.0.1,", "an entry is empty"},
		{",", "an entry is empty; an entry is empty"},
		{"proxy.example", `"proxy.example"` + notAddress},
		{"localhost", `"localhost"` + notAddress},
		{"10.0.0.1 10.0.0.2", `"10.0.0.1 10.0.0.2"` + notAddress},
		{"10.0.0.256", `"10.0.0.256"` + notAddress},
		{"10.0.0", `"10.0.0"` + notAddress},
		{"10.0.0.*", `"10.0.0.*"` + notAddress},
		{"[::1]", `"[::1]"` + notAddress},
		{"https://10.0.0.1", `"https://10.0.0.1"` + notCIDR},
		{"proxy.example/24", `"proxy.example/24"` + notCIDR},
		{"10.0.0.0/33", `"10.0.0.0/33"` + notCIDR},
		{"10.0.0.0/", `"10.0.0.0/"` + notCIDR},
		{"10.0.0.0/255.0.0.0", `"10.0.0.0/255.0.0.0"` + notCIDR},
		{"::1/129", `"::1/129"` + notCIDR},
		{"fe80::%eth0/10", `"fe80::%eth0/10"` + notCIDR},
		{"::ffff:10.0.0.0/8", `"::ffff:10.0.0.0/8"` + notCIDR}, // would be ::/8, with ::1 in it
		{"10.0.0.1:443", `"10.0.0.1:443" has a port, which a proxy is not known by`},
		{"[::1]:443", `"[::1]:443" has a port, which a proxy is not known by`},
		{"fe80::1%eth0", `"fe80::1%eth0" has a zone, which a proxy is not known by`},
		{"10.0.0.1,a,10.0.0.2,b/8", `"a"` + notAddress + `; "b/8"` + notCIDR},
	} {
		t.Run(c.text, func(t *testing.T) {
			before := proxies(t, "192.0.2.1")
			p := before
			require.EqualError(t, p.UnmarshalText([]byte(c.text)), c.message)
			require.Equal(t, before, p)
		})
	}
}

func TestContain(t *testing.T) {
	trusted := proxies(t, "10.0.0.0/8,2001:db8::/32,fe80::1,192.0.2.7")
	for address, want := range map[string]bool{
		"10.255.0.1": true, "11.0.0.1": false, "192.0.2.7": true, "192.0.2.8": false,
		"::ffff:10.0.0.1": true, "2001:db8:1::1": true, "2001:db9::1": false, "fe80::1%eth0": true, "fe80::2%eth0": false,
	} {
		require.Equal(t, want, trusted.Contain(netip.MustParseAddr(address)), address)
	}
	require.False(t, trusted.Contain(netip.Addr{}))
	require.False(t, proxies(t, "0.0.0.0/0,::/0").Contain(netip.Addr{}))
	require.False(t, clientip.Proxies(nil).Contain(netip.MustParseAddr("127.0.0.1")))
}
