package udp

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
)

// FuzzDatagram: whatever is sent, nothing panics; a datagram is let in exactly when, read by an expression and signed
// anew, one of its project's keys makes its MAC and its time is now; and what is stored of it names that project,
// and shares no memory with it.
//
// An input is signed with a key, for a fuzzer would find no MAC; then one byte of it is changed, or none.
func FuzzDatagram(f *testing.F) {
	now := time.Unix(1763843023, 0)
	record1 := strings.Replace(text("my_shop", 1), fmt.Sprint(time.Now().Unix()), fmt.Sprint(now.Unix()), 1)
	for _, s := range []struct {
		key, first, body string
		at               uint16
		flip             byte
	}{
		{newKey, "bv1 php my_shop 1763843023", record1, 0, 0},
		{oldKey, "bv1 php My-Shop 1763842963", gzipped(f, record1), 0, 0},
		{blogKey, "bv1 postgres blog 1763843083", "{}", 0, 0},
		{blogKey + "-old", "bv1 php my old site 1763843023", "[]", 0, 0},
		{newKey, "bv1 php my_shop 1763843023", record1, 0, 3},
		{newKey, "bv1 php my_shop 1763843023", record1, 20, 1},
		{newKey, "bv1 php my_shop 1763843023", record1, 40, 0x20},
		{newKey, "bv1 php my_shop 1763843023", record1, 91, 1},
		{newKey, "bv1 php my_shop 1763843023", record1, 150, 1},
		{blogKey, "bv1 php my_shop 1763843023", record1, 0, 0},
		{newKey, "bv1 php  1763843023", "\x1f\x8b", 0, 0},
		{newKey, "bv1 php my_shop 1763843023\nbv1", "", 0, 0},
		{newKey, "", "\n", 0, 0},
	} {
		f.Add(s.key, s.first, []byte(s.body), s.at, s.flip)
	}
	shape := regexp.MustCompile(`(?s)^(bv1 (php|postgres) ([^\n]*) ([0-9]+) )([0-9a-fA-F]{64})\n(.*)$`)
	cfg := config(nil)
	d := newDecoder(cfg)
	f.Fuzz(func(t *testing.T, key, first string, body []byte, at uint16, flip byte) {
		datagram := []byte(sign(key, first, string(body)))
		datagram[int(at)%len(datagram)] ^= flip
		got, err := d.verify(datagram, now)

		trusted := false
		if m := shape.FindSubmatch(datagram); m != nil && len(m[0])-len(m[6]) <= maxLine {
			sent, ok := new(big.Int).SetString(string(m[4]), 10)
			require.True(t, ok)
			off := sent.Sub(sent, big.NewInt(now.Unix()))
			mac, _ := hex.DecodeString(string(m[5]))
			for _, k := range cfg.Keys {
				trusted = trusted || off.CmpAbs(big.NewInt(60)) <= 0 &&
					k.Project == record.Project(string(m[3])) && slices.Equal(mac, hmacOf(string(k.Secret), string(m[1])+string(m[6])))
			}
		}
		require.Equal(t, trusted, err == nil, "%q: %v", datagram, err)
		if err != nil {
			require.ErrorAs(t, err, new(Reason))
			return
		}
		rec, rejected, err := d.decode(got, now)
		if err != nil {
			require.ErrorAs(t, err, new(Reason))
			return
		}
		require.Empty(t, rejected)
		require.Equal(t, got.project, rec.Project)
		payload := string(rec.Payload)
		clear(datagram)
		require.Equal(t, payload, string(rec.Payload))
	})
}
