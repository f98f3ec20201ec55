package config_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/config"
)

func TestUnknownVariablesWarn(t *testing.T) {
	_, warnings, err := config.Load(with(
		"BITVILLE_RETENTON=1h",
		"BITVILLE_API_KEY="+key2, // no project
		"BITVILLE_EMPTY=",
		"bitville_log_level=debug", // names are upper case
		"PATH=/bin",
	))
	require.NoError(t, err)
	require.Equal(t, []string{
		"BITVILLE_API_KEY is not a setting of this listener and does nothing; did you mean BITVILLE_API_KEY_<PROJECT>?",
		"BITVILLE_EMPTY is not a setting of this listener and does nothing",
		"BITVILLE_RETENTON is not a setting of this listener and does nothing; did you mean BITVILLE_RETENTION?",
		"bitville_log_level is not a setting of this listener and does nothing; did you mean BITVILLE_LOG_LEVEL?",
	}, warnings)
}

// What is near is suggested: a slip of the keyboard, a word too many or too few, another case.
func TestNearestName(t *testing.T) {
	for name, want := range map[string]string{
		"BITVILLE_RETENTON":           "BITVILLE_RETENTION",
		"BITVILLE_RETENTION_DAYS":     "BITVILLE_RETENTION",
		"BITVILLE_DB_PTAH":            "BITVILLE_DB_PATH",
		"BITVILLE_DBPATH":             "BITVILLE_DB_PATH",
		"BITVILLE_DB":                 "BITVILLE_DB_PATH",
		"BITVILLE_DATABASE_URL":       "", // six edits
		"BITVILLE_URL":                "BITVILLE_DB_URL",
		"BITVILLE_log_level":          "BITVILLE_LOG_LEVEL",
		"BITVILLE_LOG-LEVEL":          "BITVILLE_LOG_LEVEL",
		"BITVILLE_LISTEN":             "BITVILLE_LISTEN_ADDR",
		"BITVILLE_LISTEN_ADDRESS":     "BITVILLE_LISTEN_ADDR",
		"BITVILLE_METRICS":            "BITVILLE_METRICS_ADDR",
		"BITVILLE_TLS_KEY":            "BITVILLE_TLS_KEY_PATH",
		"BITVILLE_ACME_DOMAIN":        "BITVILLE_ACME_DOMAINS",
		"BITVILLE_TRUSTED_PROXY":      "BITVILLE_TRUSTED_PROXIES",
		"BITVILLE_API_KEY":            "BITVILLE_API_KEY_<PROJECT>",
		"BITVILLE_APIKEY_SHOP":        "BITVILLE_API_KEY_<PROJECT>",
		"BITVILLE_API_KEYS_SHOP":      "BITVILLE_API_KEY_<PROJECT>",
		"BITVILLE_KEY_SHOP":           "BITVILLE_API_KEY_<PROJECT>",
		"BITVILLE_APIKEYS":            "BITVILLE_API_KEYS",
		"BITVILLE_":                   "",
		"BITVILLE_EMPTY":              "",
		"BITVILLE_SOMETHING_ELSE_YET": "",
	} {
		_, warnings, err := config.Load(with(name + "=1"))
		require.NoError(t, err)
		text := name + " is not a setting of this listener and does nothing"
		if want != "" {
			text += "; did you mean " + want + "?"
		}
		require.Equal(t, []string{text}, warnings)
	}
}

func TestSettingsDocumentEveryField(t *testing.T) {
	settings := config.Settings()
	require.Equal(t, "BITVILLE_API_KEY_<PROJECT>", settings[0].Name)
	require.Equal(t, "BITVILLE_API_KEYS", settings[1].Name)
	require.Equal(t, "BITVILLE_READ_KEY_<PROJECT>", settings[2].Name)
	require.Equal(t, "BITVILLE_READ_KEYS", settings[3].Name)
	for _, s := range settings {
		require.NotEmpty(t, s.Doc, s.Name)
	}
	byName := make(map[string]config.Setting)
	for _, s := range settings[4:] {
		require.True(t, strings.HasPrefix(s.Name, "BITVILLE_"), s.Name)
		byName[s.Name] = s
	}
	require.Len(t, byName, len(settings)-4, "one stands twice")
	for _, field := range reflect.VisibleFields(reflect.TypeFor[config.Config]()) {
		if field.Anonymous || field.Name == "Keys" || field.Name == "ReadKeys" {
			continue
		}
		s, ok := byName[field.Tag.Get("env")]
		require.True(t, ok, "%s is not documented", field.Name)
		require.Equal(t, field.Tag.Get("envDefault"), s.Default, field.Name)
		require.Less(t, len(field.Tag), 120, "%s: a tag is no place for a text", field.Name)
		delete(byName, s.Name)
	}
	require.Empty(t, byName, "a setting without a field")
}
