package auth_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/auth"
)

var noon = time.Unix(1_800_000_000, 0)

func header(name, value string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/traces/", nil)
	r.Header.Set(name, value)
	return r
}

func TestReaders(t *testing.T) {
	readers := auth.NewReaders([]auth.Key{
		{Project: "shop", Secret: "read-shop"},
		{Project: "blog", Secret: "read-both"}, {Project: "shop", Secret: "read-both"},
		{Project: "*", Secret: "read-all"},
	})
	require.False(t, readers.None())
	basic := func(password string) string {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.SetBasicAuth("anybody", password)
		return r.Header.Get("Authorization")
	}
	for _, c := range []struct {
		header   string
		sees     string // of shop, blog and wiki
		expected error
	}{
		{"Bearer read-shop", "shop", nil},
		{"bearer   read-shop ", "shop", nil},
		{basic("read-shop"), "shop", nil},
		{"Bearer read-both", "shop blog", nil},
		{"Bearer read-all", "shop blog wiki", nil},
		{"Bearer read", "", auth.ErrUnknownKey},
		{basic("read"), "", auth.ErrUnknownKey},
		{"Bearer ", "", auth.ErrNoKey},
		{"Basic %%%", "", auth.ErrNoKey},
		{"Digest read-shop", "", auth.ErrNoKey},
		{"", "", auth.ErrNoKey},
	} {
		viewer, err := readers.Viewer(header("Authorization", c.header), noon)
		require.ErrorIs(t, err, c.expected, "%q", c.header)
		var sees []string
		for _, project := range []string{"shop", "blog", "wiki"} {
			if viewer.Sees(project) {
				sees = append(sees, project)
			}
		}
		require.Equal(t, c.sees, strings.Join(sees, " "), "%q", c.header)
	}
	require.True(t, auth.NewReaders(nil).None())
}

func TestSession(t *testing.T) {
	shop, all := auth.Key{Project: "shop", Secret: "read-shop"}, auth.Key{Project: "*", Secret: "read-all"}
	readers := auth.NewReaders([]auth.Key{shop, all})
	_, ok := readers.Login("read", noon)
	require.False(t, ok)
	cookie, ok := readers.Login("read-shop", noon)
	require.True(t, ok)
	require.NoError(t, cookie.Valid())
	require.Equal(t, "__Host-bitville", cookie.Name)
	require.True(t, cookie.Secure && cookie.HttpOnly && cookie.Path == "/" && cookie.Domain == "")
	require.Equal(t, http.SameSiteLaxMode, cookie.SameSite)
	require.Equal(t, 12*60*60, cookie.MaxAge)

	with := func(value string) *http.Request { return header("Cookie", cookie.Name+"="+value) }
	viewer, err := readers.Viewer(with(cookie.Value), noon.Add(auth.SessionTime-time.Second))
	require.NoError(t, err)
	require.True(t, viewer.Sees("shop"))
	require.False(t, viewer.Sees("blog"))

	// It holds on another host with the key, whatever other keys there are, and ends with the key.
	_, err = auth.NewReaders([]auth.Key{shop}).Viewer(with(cookie.Value), noon)
	require.NoError(t, err)
	_, err = auth.NewReaders([]auth.Key{all}).Viewer(with(cookie.Value), noon)
	require.ErrorIs(t, err, auth.ErrNoKey)
	_, err = readers.Viewer(with(cookie.Value), noon.Add(auth.SessionTime))
	require.ErrorIs(t, err, auth.ErrNoKey)

	for i := range cookie.Value { // every part of it is signed
		letter := "A"
		if cookie.Value[i] == 'A' {
			letter = "Q"
		}
		_, err = readers.Viewer(with(cookie.Value[:i]+letter+cookie.Value[i+1:]), noon)
		require.ErrorIs(t, err, auth.ErrNoKey, "changed at %d", i)
		_, err = readers.Viewer(with(cookie.Value[:i]), noon)
		require.ErrorIs(t, err, auth.ErrNoKey, "cut at %d", i)
	}
	require.Negative(t, auth.Logout().MaxAge)
}
