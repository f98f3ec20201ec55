package auth_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/auth"
)

func TestPlaces(t *testing.T) {
	const none = `no API key: send the header "Authorization: Bearer <key>"`
	var (
		bearer = auth.Places{}
		basic  = auth.Places{Basic: true}
		query  = auth.Places{Query: "token"}
		path   = auth.Places{Path: true}
		all    = auth.Places{Basic: true, Query: "token", Path: true}
	)
	for _, c := range []struct {
		name          string
		places        auth.Places
		authorization string // "user:password" is Basic
		query         string
		path          string // the key in it
		key           string
		err           string
	}{
		{"a bearer", all, "Bearer k1", "", "", "k1", ""},
		{"Basic", basic, "profiler:k1", "", "", "k1", ""},
		{"Basic, of a password with a colon", basic, "profiler:k1:k2", "", "", "k1:k2", ""},
		{"Basic without a user", basic, ":k1", "", "", "k1", ""},
		{"Basic without a password", basic, "profiler:", "", "", "", none + ", or Basic with the key as the password"},
		{"Basic without a password, and the path's", all, "profiler:", "", "k1", "k1", ""},
		{"Basic that is no base64", basic, "Basic k1", "", "", "", none + ", or Basic with the key as the password"},
		{"the query's", query, "", "token=k1", "", "k1", ""},
		{"the query's, as php-profiler appends it", query, "", "&token=k1", "", "k1", ""},
		{"the query's, behind another query", query, "", "project=shop?&token=k1", "", "k1", ""},
		{"the query's, twice the same", query, "", "token=k1&token=k1", "", "k1", ""},
		{"the query's, two", query, "", "token=k1&token=k2", "", "", auth.ErrTwoKeys.Error()},
		{"the query's, empty", query, "", "token=", "", "", none + ", or ?token=<key> in the URL"},
		{"another parameter", query, "", "key=k1", "", "", none + ", or ?token=<key> in the URL"},
		{"the path's", path, "", "", "k1", "k1", ""},
		{"nowhere", all, "", "", "", "", none + ", or Basic with the key as the password, or ?token=<key> in the URL, or /k/<key> before the URL's path"},
		{"the same everywhere", all, "Bearer k1", "token=k1", "k1", "k1", ""},
		{"another in the query", all, "Bearer k1", "token=k2", "", "", auth.ErrTwoKeys.Error()},
		{"another in the path", all, "profiler:k1", "", "k2", "", auth.ErrTwoKeys.Error()},
		{"another in the path than in the query", all, "", "token=k1", "k2", "", auth.ErrTwoKeys.Error()},

		{"Basic where only a bearer counts", bearer, "profiler:k1", "", "", "", none},
		{"the query where only a bearer counts", bearer, "", "token=k1", "", "", none},
		{"the path where only a bearer counts", bearer, "", "", "k1", "", none},
		{"another's query and path change nothing", bearer, "Bearer k1", "token=k2", "k3", "k1", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodPost, "/run/import?"+c.query, nil)
			r.SetPathValue("key", c.path)
			if user, password, isBasic := strings.Cut(c.authorization, ":"); isBasic {
				r.SetBasicAuth(user, password)
			} else if c.authorization != "" {
				r.Header.Set("Authorization", c.authorization)
			}
			key, err := c.places.Key(r)
			require.Equal(t, c.key, key)
			if c.err == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, c.err)
			require.Equal(t, c.err != auth.ErrTwoKeys.Error(), errors.Is(err, auth.ErrNoKey))
		})
	}
}

func TestKeyForSomeRoutes(t *testing.T) {
	keys := auth.NewKeys([]auth.Key{
		{Project: "shop", Secret: shopKey},
		{Project: "shop", Secret: newShopKey, Routes: []string{"/v1/traces", "/run/import"}},
	})
	for _, c := range []struct{ key, route, err string }{
		{shopKey, "/v1/traces", ""},
		{shopKey, "/ingest/php", ""},
		{newShopKey, "/v1/traces", ""},
		{newShopKey, "/run/import", ""},
		{newShopKey, "/ingest/php", "the key is for /v1/traces, /run/import alone"},
		{newShopKey, "/v1", "the key is for /v1/traces, /run/import alone"},
		{newShopKey, "", "the key is for /v1/traces, /run/import alone"},
	} {
		project, err := keys.Project(c.key, c.route)
		require.Equal(t, "shop", project, c.route)
		if c.err == "" {
			require.NoError(t, err, c.route)
		} else {
			require.EqualError(t, err, c.err, c.route)
		}
	}
}
