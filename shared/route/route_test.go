package route

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestName(t *testing.T) {
	for _, c := range []struct{ attribute, uri, want string }{
		{"", "/product/42?ref=newsletter&utm_source=m%C3%A4rz", "/product/*"},
		{"", "/category/11?page=2&size=3", "/category/*"},
		{"", "/", "/"},
		{"", "", ""},
		{"", "/admin/nope", "/admin/nope"},
		{"GET /product/{id}", "/product/42", "GET /product/{id}"},
		{"", "/orders/3f2c8a5e-9d4b-4c1f-a6e0-b7d2c3e4f501/lines", "/orders/*/lines"},
		{"", "/orders/3F2C8A5E-9D4B-4C1F-A6E0-B7D2C3E4F501.pdf", "/orders/*.pdf"},
		{"", "/commit/6e773ebf", "/commit/*"},
		{"", "/commit/6e773eb", "/commit/6e773eb"},
		{"", "/effaced/deadbeefdeadbeef", "/effaced/deadbeefdeadbeef"},
		{"", "/reset/Zm9vYmFyMTIzNDU2Nzg5", "/reset/*"},
		{"", "/jwt/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "/jwt/*.abc"},
		{"", "/x/" + strings.Repeat("a", 32), "/x/*"},
		{"", "/internationalization/v1/my-first-post", "/internationalization/v1/my-first-post"},
		{"", "/42.json", "/*.json"},
		{"", "/2026-01-20/-1/1,2/3.14", "/*/*/*/*"},
		{"", "https://shop.example/product/42#top", "/product/*"},
		{"", "https://shop.example", "/"},
		{"", "//product//42/", "//product//*/"},
		{"", "/a;jsessionid=xyz/7;b=c", "/a/*"},
		{"", "cli.php import --limit=20 17", "cli.php import *"},
		{"", "cli.php import Jane 0123 jane@shop.example", "cli.php import *"},
		{"", "cli.php Jane@shop.example Doe", "cli.php *"},
		{"", "artisan queue:work", "artisan queue:work"},
		{"", "/srv/www/cron.php 2026-01-20", "/srv/www/cron.php 2026-01-20"},
	} {
		require.Equal(t, c.want, Name(c.attribute, c.uri))
	}
	for _, name := range []string{Name(strings.Repeat("é", 5000), ""), Name("", "/"+strings.Repeat("é/", 4000))} {
		require.LessOrEqual(t, len(name), 200)
		require.True(t, utf8.ValidString(name))
	}
}

// BenchmarkName is paid for each PHP record that is stored.
func BenchmarkName(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Name("", "/category/3f2c8a5e-9d4b-4c1f-a6e0-b7d2c3e4f501/products/42?page=1&size=5")
	}
}

// TestKey: a key must never change, since stored figures have it.
func TestKey(t *testing.T) {
	require.Equal(t, "e5800c178338e86c", Key("/product/*"))
	require.NotEqual(t, Key("/product/*"), Key("/category/*"))
}

func TestKeyOf(t *testing.T) {
	require.Equal(t, Key("/product/*"), KeyOf("/product/*"))
	require.Equal(t, "e5800c178338e86c", KeyOf("e5800c178338e86c"))
	require.Empty(t, KeyOf(""))
}
