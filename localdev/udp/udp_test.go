package udp

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/record"
	"github.com/bitville/listener/shared/store"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

func TestStored(t *testing.T) {
	db, path := sqlitetest.New(t)
	cfg := config(db)
	at := time.Now()
	cfg.Now = func() time.Time { return at }
	became := watched(&cfg)
	client, _ := start(t, cfg)

	first, second := text("my_shop", 0), text("my_shop", 2)
	php, blog := line("php", "my_shop"), line("postgres", "blog")
	with := func(n int, extra string) string { return strings.Replace(text("my_shop", n), "[1,2.50]", extra, 1) }
	longest := with(6, `""`)
	longest = with(6, `"`+strings.Repeat("x", record.MaxBytes-len(longest))+`"`)
	require.Len(t, longest, record.MaxBytes)
	upper := sign(newKey, php, text("my_shop", 7))
	end := strings.Index(upper, "\n")
	upper = upper[:end-64] + strings.ToUpper(upper[end-64:end]) + upper[end:]
	var want [][]string
	for n, c := range []struct{ name, datagram, source, project string }{
		{"plain", sign(newKey, php, first), "php_agent", "my_shop"},
		{"the key that is being replaced", sign(oldKey, php, text("my_shop", 1)), "php_agent", "my_shop"},
		{"gzip", sign(newKey, php, gzipped(t, second)), "php_agent", "my_shop"},
		{"the project spelled freely", sign(newKey, line("php", "My-Shop"), text("MY.SHOP", 3)), "php_agent", "my_shop"},
		{"Postgres", sign(blogKey, blog, strings.Replace(text("blog", 4), "request_uri", "query", 1)), "postgres_agent", "blog"},
		{"long", sign(newKey, php, with(5, `"`+strings.Repeat("x", 60_000)+`"`)), "php_agent", "my_shop"},
		{"as long as a record may be", sign(newKey, php, gzipped(t, longest)), "php_agent", "my_shop"},
		{"MAC in upper case", upper, "php_agent", "my_shop"},
		{"space around", sign(newKey, php, "\n "+text("my_shop", 8)+"\r\n"), "php_agent", "my_shop"},
		{"a clock behind", sign(newKey, fmt.Sprint("bv1 php my_shop ", at.Unix()-60), text("my_shop", 9)), "php_agent", "my_shop"},
		{"a clock ahead", sign(newKey, fmt.Sprint("bv1 php my_shop ", at.Unix()+60), text("my_shop", 10)), "php_agent", "my_shop"},
		{"two members of gzip", sign(newKey, php, gzipped(t, text("my_shop", 11)[:50])+gzipped(t, text("my_shop", 11)[50:])), "php_agent", "my_shop"},
		{"a project with spaces", sign(blogKey+"-old", line("php", "my old site"), text("my old site", 12)), "php_agent", "my old site"},
	} {
		send(t, client, c.datagram)
		became.requireAll(t, n+1)
		require.Equal(t, n+1, became.accepted(), c.name)
		want = append(want, []string{c.source, c.project, fmt.Sprint("/page/", n), fmt.Sprintf(`{"main()":{"wt":%d}}`, n)})
	}
	require.Equal(t, want, sqlitetest.Query(t, path, "SELECT source, project, name, payload FROM profiling_data ORDER BY correlation_id"))
	require.Equal(t, [][]string{{`{"extra":[1,2.50]}`}}, sqlitetest.Query(t, path, "SELECT attributes FROM profiling_data WHERE name = '/page/0'"))
	requireSilence(t, client)

	send(t, client, sign(newKey, php, first), sign(oldKey, php, gzipped(t, second)))
	became.requireAll(t, len(want)+2)
	require.Equal(t, store.Result{Accepted: 11, Duplicates: 2}, became.stored[origin{"php_agent", "my_shop"}], "a replay is a duplicate")
	require.Equal(t, store.Result{Accepted: 1}, became.stored[origin{"postgres_agent", "blog"}])
}

// What is not as it must be is dropped for the first reason that there is, and nobody is told.
func TestDropped(t *testing.T) {
	db, path := sqlitetest.New(t)
	cfg := config(db)
	at := time.Now()
	cfg.Now = func() time.Time { return at }
	became := watched(&cfg)
	client, _ := start(t, cfg)

	php, good := line("php", "my_shop"), text("my_shop", 1)
	right := sign(newKey, php, good)
	mac := right[len(php)+1 : len(php)+65]
	zipped, megabyte := gzipped(t, good), gzipped(t, strings.Repeat(" ", 1<<20))
	for n, c := range []struct {
		name, datagram string
		reason         Reason
	}{
		{"empty", "", Malformed},
		{"line feed", "\n", Malformed},
		{"no line feed", strings.Replace(right, "\n", " ", 1), Malformed},
		{"JSON alone", good, Malformed},
		{"no MAC", php + "\n" + good, Malformed},
		{"another version", strings.Replace(right, "bv1", "bv2", 1), Malformed},
		{"version in upper case", strings.Replace(right, "bv1", "BV1", 1), Malformed},
		{"nothing but a MAC", mac + "\n" + good, Malformed},
		{"version and MAC", "bv1 " + mac + "\n" + good, Malformed},
		{"no project and no time", "bv1 php " + mac + "\n" + good, Malformed},
		{"no source", strings.Replace(right, "php ", "", 1), Malformed},
		{"unknown source", sign(newKey, line("mysql", "my_shop"), good), Malformed},
		{"source as it is stored", sign(newKey, line("php_agent", "my_shop"), good), Malformed},
		{"source in upper case", sign(newKey, line("PHP", "my_shop"), good), Malformed},
		{"space in front", " " + right, Malformed},
		{"two spaces before the source", strings.Replace(right, " php", "  php", 1), Malformed},
		{"two spaces before the MAC", strings.Replace(right, " "+mac, "  "+mac, 1), Malformed},
		{"space behind the MAC", strings.Replace(right, "\n", " \n", 1), Malformed},
		{"carriage return", strings.Replace(right, "\n", "\r\n", 1), Malformed},
		{"short MAC", strings.Replace(right, mac, mac[1:], 1), Malformed},
		{"long MAC", strings.Replace(right, mac, mac+"0", 1), Malformed},
		{"MAC of other letters", strings.Replace(right, mac, strings.Repeat("g", 64), 1), Malformed},
		{"tabs", sign(newKey, strings.ReplaceAll(php, " ", "\t"), good), Malformed},
		{"no time", sign(newKey, "bv1 php my_shop", good), Malformed},
		{"time with a fraction", sign(newKey, php+".5", good), Malformed},
		{"time with a sign", sign(newKey, fmt.Sprint("bv1 php my_shop +", at.Unix()), good), Malformed},
		{"negative time", sign(newKey, "bv1 php my_shop -1", good), Malformed},
		{"hexadecimal time", sign(newKey, "bv1 php my_shop 0x6921", good), Malformed},
		{"time beyond 64 bits", sign(newKey, "bv1 php my_shop 9223372036854775808", good), Malformed},
		{"endless line", sign(newKey, line("php", strings.Repeat("x", 50_000)), good), Malformed},
		{"noise", strings.Repeat("\x00\xff\n ", 10_000), Malformed},

		{"unknown project", sign(newKey, line("php", "unknown"), good), UnknownProject},
		{"no project", sign(newKey, line("php", ""), good), UnknownProject},
		{"look-alike project", sign(newKey, line("php", "my_\u017fhop"), good), UnknownProject},

		{"clock behind", sign(newKey, fmt.Sprint("bv1 php my_shop ", at.Unix()-61), good), Clock},
		{"clock ahead", sign(newKey, fmt.Sprint("bv1 php my_shop ", at.Unix()+61), good), Clock},
		{"milliseconds", sign(newKey, fmt.Sprint("bv1 php my_shop ", at.UnixMilli()), good), Clock},
		{"time zero", sign(newKey, "bv1 php my_shop 0", good), Clock},
		{"the largest time", sign(newKey, "bv1 php my_shop 9223372036854775807", good), Clock},
		{"clock behind, forged", sign("forged", fmt.Sprint("bv1 php my_shop ", at.Unix()-61), good), Clock},

		{"another key", sign("forged-key-0123456789", php, good), BadMAC},
		{"another project's key", sign(blogKey, php, good), BadMAC},
		{"empty key", sign("", php, good), BadMAC},
		{"no digit right", strings.Replace(right, mac, strings.Repeat("0", 64), 1), BadMAC},
		{"body changed", strings.Replace(right, "/page/1", "/page/2", 1), BadMAC},
		{"body cut", right[:len(right)-1], BadMAC},
		{"body cut off", right[:len(php)+66], BadMAC},
		{"time changed", strings.Replace(right, fmt.Sprint(at.Unix()), fmt.Sprint(at.Unix()-1), 1), BadMAC},
		{"source changed", strings.Replace(right, "bv1 php", "bv1 postgres", 1), BadMAC},
		{"spelling changed", strings.Replace(right, "my_shop", "My_Shop", 1), BadMAC},
		{"MAC over the body alone", php + " " + fmt.Sprintf("%x", hmacOf(newKey, good)) + "\n" + good, BadMAC},
		{"MAC over the line without its space", php + " " + fmt.Sprintf("%x", hmacOf(newKey, php+good)) + "\n" + good, BadMAC},
		{"MAC over the line feed too", php + " " + fmt.Sprintf("%x", hmacOf(newKey, php+" \n"+good)) + "\n" + good, BadMAC},
		{"forged bomb", sign("forged", php, strings.Repeat(megabyte, 60)), BadMAC},

		{"another project in the record", sign(newKey, php, text("blog", 1)), WrongProject},
		{"another project in a list", sign(newKey, php, "["+text("blog", 1)+"]"), WrongProject},

		{"no body", sign(newKey, php, ""), Invalid},
		{"blank body", sign(newKey, php, " \n"), Invalid},
		{"not JSON", sign(newKey, php, "{"), Invalid},
		{"not UTF-8", sign(newKey, php, strings.Replace(good, "/page/1", "/page/\xff", 1)), Invalid},
		{"not an object", sign(newKey, php, "1"), Invalid},
		{"empty array", sign(newKey, php, "[]"), Invalid},
		{"array of one", sign(newKey, php, "["+good+"]"), Invalid},
		{"two lines", sign(newKey, php, good+"\n"+text("my_shop", 2)), Invalid},
		{"a statement for a page", sign(newKey, php, strings.Replace(good, "request_uri", "query", 1)), Invalid},
		{"too old", sign(newKey, php, strings.Replace(good, fmt.Sprint(at.Unix()), fmt.Sprint(at.Unix()-8*24*3600), 1)), Invalid},
		{"nothing under gzip", sign(newKey, php, gzipped(t, "")), Invalid},
		{"array under gzip", sign(newKey, php, gzipped(t, "["+good+"]")), Invalid},
		{"gzip's first bytes", sign(newKey, php, "\x1f\x8b"), Invalid},
		{"gzip damaged", sign(newKey, php, zipped[:30]+"\xff\xff"+zipped[32:]), Invalid},
		{"gzip cut", sign(newKey, php, zipped[:len(zipped)-1]), Invalid},
		{"gzip and more", sign(newKey, php, zipped+good), Invalid},
		{"gzip under gzip", sign(newKey, php, gzipped(t, zipped)), Invalid},
		{"bomb", sign(newKey, php, gzipped(t, good)+strings.Repeat(megabyte, 60)), Invalid},
		{"one byte too much", sign(newKey, php, gzipped(t, good+strings.Repeat(" ", record.MaxBytes+1-len(good)))), Invalid},
	} {
		require.LessOrEqual(t, len(c.datagram), 65_507, c.name)
		before := became.drops(c.reason)
		send(t, client, c.datagram)
		became.requireAll(t, n+1)
		require.Equal(t, before+1, became.drops(c.reason), "%s: %v", c.name, became.dropped)
	}
	requireSilence(t, client)
	require.Empty(t, sqlitetest.Query(t, path, "SELECT name FROM profiling_data"))
	require.Equal(t, map[origin]int{{"php_agent", "my_shop"}: 3}, became.rejected, "records that were signed, and read")
}
