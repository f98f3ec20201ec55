package auth_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/auth"
)

const (
	shopKey    = "shop-key-0123456789"
	newShopKey = "shop-key-new-0123456789"
	blogKey    = "blog-key-0123456789"
)

func request(authorization ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/ingest/php", nil)
	if len(authorization) > 0 {
		r.Header["Authorization"] = authorization
	}
	return r
}

// projectOf returns the project that a request's bearer key is for.
func projectOf(keys *auth.Keys, r *http.Request) (string, error) {
	key, err := auth.Bearer(r)
	if err != nil {
		return "", err
	}
	return keys.Project(key)
}

func TestProject(t *testing.T) {
	keys := auth.NewKeys([]auth.Key{{Project: "shop", Secret: shopKey}, {Project: "shop", Secret: newShopKey}, {Project: "blog", Secret: blogKey}})
	for _, c := range []struct {
		name    string
		headers []string
		project string
		err     error
	}{
		{"a key", []string{"Bearer " + shopKey}, "shop", nil},
		{"the key that replaces it", []string{"Bearer " + newShopKey}, "shop", nil},
		{"another project's key", []string{"Bearer " + blogKey}, "blog", nil},
		{"scheme in lower case", []string{"bearer " + shopKey}, "shop", nil},
		{"scheme in upper case", []string{"BEARER " + shopKey}, "shop", nil},
		{"spaces before the key", []string{"Bearer   " + shopKey}, "shop", nil},
		{"spaces behind the key", []string{"Bearer " + shopKey + "  "}, "shop", nil},

		{"no header", nil, "", auth.ErrNoKey},
		{"empty header", []string{""}, "", auth.ErrNoKey},
		{"scheme alone", []string{"Bearer"}, "", auth.ErrNoKey},
		{"empty key", []string{"Bearer "}, "", auth.ErrNoKey},
		{"blank key", []string{"Bearer    "}, "", auth.ErrNoKey},
		{"key alone", []string{shopKey}, "", auth.ErrNoKey},
		{"space in front of the scheme", []string{" Bearer " + shopKey}, "", auth.ErrNoKey},
		{"another scheme", []string{"Basic " + shopKey}, "", auth.ErrNoKey},
		{"a scheme that begins alike", []string{"BearerToken " + shopKey}, "", auth.ErrNoKey},
		{"a scheme that is cut", []string{"Beare " + shopKey}, "", auth.ErrNoKey},
		{"colon for the space", []string{"Bearer:" + shopKey}, "", auth.ErrNoKey},
		{"tab for the space", []string{"Bearer\t" + shopKey}, "", auth.ErrNoKey},
		{"no space", []string{"Bearer" + shopKey}, "", auth.ErrNoKey},

		{"prefix of a key", []string{"Bearer " + shopKey[:len(shopKey)-1]}, "", auth.ErrUnknownKey},
		{"key with one more character", []string{"Bearer " + shopKey + "0"}, "", auth.ErrUnknownKey},
		{"key in upper case", []string{"Bearer " + strings.ToUpper(shopKey)}, "", auth.ErrUnknownKey},
		{"key in quotes", []string{`Bearer "` + shopKey + `"`}, "", auth.ErrUnknownKey},
		{"key and more", []string{"Bearer " + shopKey + " x"}, "", auth.ErrUnknownKey},
		{"both keys", []string{"Bearer " + shopKey + "," + newShopKey}, "", auth.ErrUnknownKey},
		{"scheme twice", []string{"Bearer Bearer " + shopKey}, "", auth.ErrUnknownKey},
		{"tab behind the key", []string{"Bearer " + shopKey + "\t"}, "", auth.ErrUnknownKey},
		{"NUL behind the key", []string{"Bearer " + shopKey + "\x00"}, "", auth.ErrUnknownKey},
		{"a project's name", []string{"Bearer shop"}, "", auth.ErrUnknownKey},
		{"the key in brackets, as documented", []string{"Bearer <" + shopKey + ">"}, "", auth.ErrUnknownKey},

		// A proxy in front may add a header of its own: which of the two counts must not depend on what they hold.
		{"two headers, the first counts", []string{"Bearer " + shopKey, "Bearer " + blogKey}, "shop", nil},
		{"two headers, the first unknown", []string{"Bearer x", "Bearer " + shopKey}, "", auth.ErrUnknownKey},
		{"two headers, the first empty", []string{"", "Bearer " + shopKey}, "", auth.ErrNoKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			project, err := projectOf(keys, request(c.headers...))
			require.Equal(t, c.err, err)
			require.Equal(t, c.project, project)
		})
	}
}

func TestOnlyTheAuthorizationHeaderCounts(t *testing.T) {
	keys := auth.NewKeys([]auth.Key{{Project: "shop", Secret: shopKey}})
	r := httptest.NewRequest(http.MethodPost, "/ingest/php?key="+shopKey+"&access_token="+shopKey, strings.NewReader("access_token="+shopKey))
	r.SetBasicAuth("Bearer", shopKey)
	r.Header.Set("X-Api-Key", shopKey)
	r.Header.Set("Proxy-Authorization", "Bearer "+shopKey)
	r.AddCookie(&http.Cookie{Name: "Authorization", Value: shopKey})
	_, err := projectOf(keys, r)
	require.ErrorIs(t, err, auth.ErrNoKey)
}

func TestRetiredKey(t *testing.T) {
	keys := auth.NewKeys([]auth.Key{{Project: "shop", Secret: newShopKey}})
	_, err := projectOf(keys, request("Bearer "+shopKey))
	require.ErrorIs(t, err, auth.ErrUnknownKey)
}

func TestWithoutKeysNobodyIsLetIn(t *testing.T) {
	for _, keys := range []*auth.Keys{auth.NewKeys(nil), auth.NewKeys([]auth.Key{})} {
		for _, header := range []string{"Bearer x", "Bearer " + shopKey} {
			_, err := projectOf(keys, request(header))
			require.ErrorIs(t, err, auth.ErrUnknownKey)
		}
		_, err := projectOf(keys, request("Bearer "))
		require.ErrorIs(t, err, auth.ErrNoKey)
	}
}

// The whole digest counts: of so many keys some share a byte or two with the right one's.
func TestManyUnknownKeys(t *testing.T) {
	keys := auth.NewKeys([]auth.Key{{Project: "shop", Secret: shopKey}})
	r := request("")
	for i := range 200_000 {
		r.Header.Set("Authorization", "Bearer "+strconv.Itoa(i))
		if _, err := projectOf(keys, r); err != auth.ErrUnknownKey {
			require.Failf(t, "let in", "%d: %v", i, err)
		}
	}
}

func TestKeysHoldDigestsAlone(t *testing.T) {
	keys := auth.NewKeys([]auth.Key{{Project: "shop", Secret: shopKey}})
	require.NotContains(t, fmt.Sprintf("%+v", keys), shopKey) // fmt calls no method on what is not exported
}

func TestErrorsSayWhatToDo(t *testing.T) {
	require.EqualError(t, auth.ErrNoKey, `no API key: send the header "Authorization: Bearer <key>"`)
	require.EqualError(t, auth.ErrUnknownKey, "unknown API key: send one that the listener has for the project")
}
