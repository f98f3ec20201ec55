package auth_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/auth"
)

const secret auth.Secret = "zQ7xV9kW2mT4bN8p"

// ways puts the secret where code would have it.
var ways = map[string]any{
	"itself":         secret,
	"pointer":        new(secret),
	"key":            auth.Key{Project: "shop", Secret: secret},
	"pointer to key": &auth.Key{Project: "shop", Secret: secret},
	"slice":          []auth.Key{{Project: "shop", Secret: secret}},
	"map":            map[string]auth.Secret{"shop": secret},
	"nested":         struct{ Config struct{ Keys []auth.Key } }{struct{ Keys []auth.Key }{[]auth.Key{{Project: "shop", Secret: secret}}}},
	"any":            []any{secret},
}

// requireHidden holds a text against the secret, plain and in hexadecimal.
func requireHidden(t *testing.T, text string) {
	t.Helper()
	const s = string(secret)
	for _, form := range []string{s, hex.EncodeToString([]byte(s)), fmt.Sprintf("% x", s), fmt.Sprintf("%#v", []byte(s)), fmt.Sprint([]byte(s))} {
		require.NotContains(t, strings.ToLower(text), strings.ToLower(form))
	}
}

func TestSecretIsNotPrinted(t *testing.T) {
	require.Equal(t, "[redacted]", fmt.Sprint(secret))
	require.Equal(t, "[redacted]", fmt.Sprintf("%#v", secret))
	require.Equal(t, "[redacted]", fmt.Sprintf("%q", secret))
	for name, v := range ways {
		t.Run(name, func(t *testing.T) {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%#x", "%+q", "%20s", "%.3s", "%-9v"} {
				requireHidden(t, fmt.Sprintf(verb, v))
			}
			requireHidden(t, fmt.Sprint(v)+fmt.Sprintln(v))
			requireHidden(t, fmt.Errorf("failed: %v", v).Error())
			var out bytes.Buffer
			log.New(&out, "", 0).Println(v)
			requireHidden(t, out.String())
		})
	}
}

// A verb that is not for texts is a mistake of the caller's, which prints the value to show it. (What %p and %w print
// no method can change; go vet finds it.)
func TestSecretIsNotPrintedByAWrongVerb(t *testing.T) {
	for _, verb := range "bcdeEfFgGoOtTUzZ" {
		text := fmt.Sprintf("%"+string(verb), secret)
		require.NotContains(t, text, string(secret), "%%%c", verb)
	}
}

func TestSecretIsNotMarshalled(t *testing.T) {
	for name, v := range ways {
		t.Run(name, func(t *testing.T) {
			data, err := json.Marshal(v)
			require.NoError(t, err)
			requireHidden(t, string(data))
			require.Contains(t, string(data), "[redacted]")
		})
	}
	data, err := xml.Marshal(auth.Key{Project: "shop", Secret: secret})
	require.NoError(t, err)
	requireHidden(t, string(data))
}

func TestSecretIsNotLogged(t *testing.T) {
	for name, v := range ways {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
				l := slog.New(h)
				l.Info("start", "value", v)
				l.With("with", v).WithGroup("group").Info("start", slog.Group("inner", slog.Any("value", v)))
				l.Info("start", "error", errors.Join(errors.New("failed"), fmt.Errorf("with %v", v)))
			}
			requireHidden(t, out.String())
			require.Equal(t, 6, strings.Count(out.String(), "msg"), "every line is there")
		})
	}
}

// What needs the key itself converts it, and says so by that.
func TestSecretConverts(t *testing.T) {
	require.Equal(t, "zQ7xV9kW2mT4bN8p", string(secret))
}
