package config_test

import (
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/config"
)

// ways to set a key, well or badly. %s is the key.
var ways = []string{
	"BITVILLE_API_KEY_SHOP=%s", "BITVILLE_API_KEY_SHOP=%s,", "BITVILLE_API_KEY_SHOP=a,%s b", "BITVILLE_API_KEY_A=%s\x00BITVILLE_API_KEY_B=%s",
	`BITVILLE_API_KEYS={"shop":"%s"}`, `BITVILLE_API_KEYS={"%s":"shop"}`, `BITVILLE_API_KEYS={"%s":""}`, `BITVILLE_API_KEYS={"a":"%s","b":"%s","%s":"c","%s":"%s"}`,
	"BITVILLE_API_KEYS=%s", "BITVILLE_API_KEY=%s", "BITVILLE_APIKEY_SHOP=%s", "BITVILLE_DB_AUTH_TOKEN=%s", "BITVILLE_DB_URL=libsql://%s@db.example", "BITVILLE_DB_URL=%s",
}

// What holds whatever is set: a key that stands where one belongs, or where one is often put by mistake, is in no
// text; each text names a variable; and what is accepted can be used.
func FuzzConfig(f *testing.F) {
	for i := range ways {
		f.Add(uint8(i), strings.Join(enough, "\x00"))
	}
	for _, text := range []string{"", "BITVILLE_", "=\x00BITVILLE_X\x00A=b", strings.Join(forOthers, "\x00"), `BITVILLE_API_KEYS={"a":"b","a":"c"}`} {
		f.Add(uint8(0), text)
	}
	for _, c := range good {
		f.Add(uint8(0), enough[0]+"\x00"+strings.Join(together[c.name], "\x00")+"\x00"+c.name+"="+c.value)
	}
	f.Fuzz(func(t *testing.T, way uint8, text string) {
		environ := strings.Split(text, "\x00")
		environ = append(environ, strings.Split(strings.ReplaceAll(ways[int(way)%len(ways)], "%s", key1), "\x00")...)
		for name, load := range map[string]func([]string) (config.Config, []string, error){
			"Load":        config.Load,
			"LoadCommand": config.LoadCommand,
			"a function":  func(environ []string) (config.Config, []string, error) { return config.LoadFunction(environ, true) },
		} {
			cfg, texts, err := load(environ)
			if err != nil {
				joined, ok := err.(interface{ Unwrap() []error })
				require.True(t, ok)
				for _, problem := range joined.Unwrap() {
					texts = append(texts, problem.Error())
				}
			}
			for _, text := range texts {
				require.Contains(t, text, "BITVILLE_", name)
			}
			requireNoLeakOf(t, key1, environ, texts)
			if err == nil {
				requireUsable(t, cfg, name)
			}
		}
	})
}

// requireNoLeakOf looks for a whole key, in any case, but where the fuzzer has found it out and set it elsewhere.
func requireNoLeakOf(t *testing.T, key string, environ, texts []string) {
	t.Helper()
	key = strings.ToLower(key)
	for _, v := range environ[:len(environ)-1] {
		if strings.Contains(strings.ToLower(v), key) {
			return
		}
	}
	for _, text := range texts {
		require.NotContains(t, strings.ToLower(text), key)
	}
}

func requireUsable(t *testing.T, cfg config.Config, name string) {
	t.Helper()
	require.True(t, (cfg.DBPath == "") != (cfg.DBURL == ""))
	require.Positive(t, cfg.Retention)
	require.GreaterOrEqual(t, cfg.MaxConnections, 16)
	require.Positive(t, cfg.MaxBodyBytes)
	require.Positive(t, cfg.AuthFailuresPerMinute)
	require.Equal(t, name != "LoadCommand", len(cfg.Keys) > 0)
	for _, address := range []string{cfg.ListenAddr, cfg.UDPAddr, cfg.MetricsAddr} {
		if address != "" {
			_, port, err := net.SplitHostPort(address)
			require.NoError(t, err)
			_, err = net.LookupPort("tcp", port)
			require.NoError(t, err)
		}
	}
	for _, domain := range cfg.ACMEDomains {
		require.Regexp(t, `^[a-z0-9-]+(\.[a-z0-9-]+)+$`, domain)
		require.Empty(t, cfg.TLSCertPath+cfg.TLSKeyPath)
		require.NotEmpty(t, cfg.ACMECacheDir)
	}
	for _, network := range cfg.TrustedProxies {
		require.True(t, network.IsValid())
	}
}
