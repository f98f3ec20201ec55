package config_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/config"
)

func keysOf(project string, keys ...auth.Secret) (all []auth.Key) {
	for _, k := range keys {
		all = append(all, auth.Key{Project: project, Secret: k})
	}
	return all
}

func TestKeys(t *testing.T) {
	fifty := strings.Repeat("p", 50)
	for _, c := range []struct {
		name     string
		environ  []string
		keys     []auth.Key
		warnings []string
	}{
		{"one", []string{"BITVILLE_API_KEY_SHOP=" + key1}, keysOf("shop", key1), nil},
		{"rotation", []string{"BITVILLE_API_KEY_SHOP=" + key1 + "," + key2}, keysOf("shop", key1, key2), nil},
		{"rotation with spaces", []string{"BITVILLE_API_KEY_SHOP= " + key1 + " ,\t" + key2 + "\n"}, keysOf("shop", key1, key2), nil},
		{"one key twice for one project", []string{"BITVILLE_API_KEY_SHOP=" + key1 + "," + key1}, keysOf("shop", key1, key1), nil},
		{
			"two projects", []string{"BITVILLE_API_KEY_SHOP=" + key1, "BITVILLE_API_KEY_BLOG=" + key2},
			append(keysOf("shop", key1), keysOf("blog", key2)...), nil,
		},
		{"JSON", []string{`BITVILLE_API_KEYS={"shop":"` + key1 + `"}`}, keysOf("shop", key1), nil},
		{
			"JSON of two projects, one rotating", []string{`BITVILLE_API_KEYS= { "shop" : "` + key1 + ", " + key2 + `", "blog":"` + key3 + `" } `},
			append(keysOf("shop", key1, key2), keysOf("blog", key3)...), nil,
		},
		{"JSON with escapes", []string{`BITVILLE_API_KEYS={"\u0073hop":"` + key1[:15] + `\u0070"}`}, keysOf("shop", key1), nil},
		{
			"both variables for different projects", []string{"BITVILLE_API_KEY_SHOP=" + key1, `BITVILLE_API_KEYS={"blog":"` + key2 + `"}`},
			append(keysOf("shop", key1), keysOf("blog", key2)...), nil,
		},
		{"JSON of nothing beside a key", []string{"BITVILLE_API_KEY_SHOP=" + key1, `BITVILLE_API_KEYS={}`}, keysOf("shop", key1), nil},
		{"a key with = in it", []string{"BITVILLE_API_KEY_SHOP=" + key1 + "=="}, keysOf("shop", key1+"=="), nil},
		{"every printable character but the comma", []string{`BITVILLE_API_KEY_SHOP=!"#$%&'()*+-./:;<=>?@[\]^_{|}~` + "`"}, keysOf("shop", `!"#$%&'()*+-./:;<=>?@[\]^_{|}~`+"`"), nil},
		{"spelling in a name", []string{"BITVILLE_API_KEY_MY_SHOP=" + key1}, keysOf("my_shop", key1), nil},
		{"spelling in JSON", []string{`BITVILLE_API_KEYS={"My-Shop.EU":"` + key1 + `"}`}, keysOf("my_shop_eu", key1), nil},
		{"nothing but ASCII is folded", []string{`BITVILLE_API_KEYS={"É_\u212a":"` + key1 + `"}`}, keysOf("É_\u212a", key1), nil},
		{"a project of 50 characters", []string{"BITVILLE_API_KEY_" + strings.ToUpper(fifty) + "=" + key1}, keysOf(fifty, key1), nil},
		{"a project of 50 characters, 100 bytes", []string{`BITVILLE_API_KEYS={"` + strings.Repeat("é", 50) + `":"` + key1 + `"}`}, keysOf(strings.Repeat("é", 50), key1), nil},
		{
			"short keys work", []string{"BITVILLE_API_KEY_SHOP=" + key1[:15] + "," + key2, `BITVILLE_API_KEYS={"blog":"` + key3[:4] + `"}`},
			append(keysOf("shop", auth.Secret(key1[:15]), key2), keysOf("blog", auth.Secret(key3[:4]))...),
			[]string{
				"BITVILLE_API_KEYS: a key of project no. 1 is shorter than 16 characters and could be guessed",
				"BITVILLE_API_KEY_SHOP: a key of project shop is shorter than 16 characters and could be guessed",
			},
		},
		{
			"a short key of a long name", []string{"BITVILLE_API_KEY_INTERNATIONAL_SHOP=" + key1[:4]},
			keysOf("international_shop", auth.Secret(key1[:4])),
			[]string{"BITVILLE_API_KEY_INTERNATIONAL_SHOP: a key of project international_shop is shorter than 16 characters and could be guessed"},
		},
		{
			"keys that are easily guessed", []string{"BITVILLE_API_KEY_SHOP=0000000000000000", "BITVILLE_API_KEY_BLOG=abcdefghijklmnopqrst"},
			append(keysOf("shop", "0000000000000000"), keysOf("blog", "abcdefghijklmnopqrst")...),
			[]string{
				"BITVILLE_API_KEY_BLOG: a key of project blog is the same few characters over and over, or a run of them, and could be guessed",
				"BITVILLE_API_KEY_SHOP: a key of project shop is the same few characters over and over, or a run of them, and could be guessed",
			},
		},
		{
			"a short key for a name", []string{`BITVILLE_API_KEYS={"` + key1[:15] + `":"shop"}`},
			keysOf(strings.ToLower(key1[:15]), "shop"),
			[]string{"BITVILLE_API_KEYS: a key of project no. 1 is shorter than 16 characters and could be guessed"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg, warnings, err := config.Load(append(c.environ, enough[0]))
			require.NoError(t, err)
			require.ElementsMatch(t, c.keys, cfg.Keys)
			require.Equal(t, c.warnings, warnings)
			requireNoLeak(t, warnings...)
		})
	}
}

func TestKeyProblems(t *testing.T) {
	const (
		notJSON = `BITVILLE_API_KEYS is not a JSON object of strings: set {"shop":"key[,key…]"}`
		inShop  = "BITVILLE_API_KEY_SHOP: a key of project shop"
		inJSON  = "BITVILLE_API_KEYS: a key of project no. 1"
		unset   = " is a placeholder: set a secret, such as openssl rand -hex 20 makes"
		empty   = " is empty; set it, or remove the comma or the variable"
		odd     = " holds a character that no header can; use printable ASCII without spaces"
		swapped = `: a project's name has 16 characters and its key 4, as if they were swapped; set BITVILLE_API_KEY_SHOP=<key>, or BITVILLE_API_KEYS={"shop":"key[,key…]"}`
		nothing = ": set BITVILLE_API_KEY_SHOP=<key> for a project named shop"
	)
	for _, c := range []struct {
		name     string
		environ  []string
		problems []string
	}{
		{"no key", nil, []string{"no API key is set" + nothing}},
		{"JSON of nothing", []string{"BITVILLE_API_KEYS={}"}, []string{"BITVILLE_API_KEYS holds no key" + nothing}},

		{"empty", []string{"BITVILLE_API_KEY_SHOP="}, []string{inShop + empty}},
		{"blank", []string{"BITVILLE_API_KEY_SHOP= \t "}, []string{inShop + empty}},
		{"empty beside another project's", []string{"BITVILLE_API_KEY_SHOP=", "BITVILLE_API_KEY_BLOG=" + key1}, []string{inShop + empty}},
		{"empty in JSON", []string{`BITVILLE_API_KEYS={"shop":""}`}, []string{inJSON + empty}},
		{"trailing comma", []string{"BITVILLE_API_KEY_SHOP=" + key1 + ","}, []string{inShop + empty}},
		{"leading comma", []string{"BITVILLE_API_KEY_SHOP=," + key1}, []string{inShop + empty}},
		{"comma in the middle", []string{"BITVILLE_API_KEY_SHOP=" + key1 + ", ," + key2}, []string{inShop + empty}},
		{"two commas", []string{"BITVILLE_API_KEY_SHOP=,"}, []string{inShop + empty, inShop + empty}},
		{"trailing comma in JSON", []string{`BITVILLE_API_KEYS={"shop":"` + key1 + `,"}`}, []string{inJSON + empty}},

		{"space inside", []string{"BITVILLE_API_KEY_SHOP=" + key1 + " " + key2}, []string{inShop + odd}},
		{"line feed inside", []string{"BITVILLE_API_KEY_SHOP=" + key1 + "\n" + key2}, []string{inShop + odd}},
		{"control", []string{"BITVILLE_API_KEY_SHOP=" + key1 + "\x01"}, []string{inShop + odd}},
		{"delete", []string{"BITVILLE_API_KEY_SHOP=" + key1 + "\x7f"}, []string{inShop + odd}},
		{"NUL in JSON", []string{`BITVILLE_API_KEYS={"shop":"` + key1 + `\u0000"}`}, []string{inJSON + odd}},
		{"not ASCII", []string{"BITVILLE_API_KEY_SHOP=" + key1 + "é"}, []string{inShop + odd}},
		{"not UTF-8", []string{"BITVILLE_API_KEY_SHOP=" + key1 + "\xff"}, []string{inShop + odd}},

		{
			"one key for two projects", []string{"BITVILLE_API_KEY_SHOP=" + key1, "BITVILLE_API_KEY_BLOG=" + key1},
			[]string{"BITVILLE_API_KEY_SHOP: project shop has the same key as project blog; give each its own"},
		},
		{
			"one key for two projects, in lists", []string{"BITVILLE_API_KEY_SHOP=" + key1 + "," + key2, "BITVILLE_API_KEY_BLOG=" + key3 + ", " + key2},
			[]string{"BITVILLE_API_KEY_SHOP: project shop has the same key as project blog; give each its own"},
		},
		{
			"one key for two projects in JSON", []string{`BITVILLE_API_KEYS={"shop":"` + key1 + `","blog":"` + key1 + `"}`},
			[]string{"BITVILLE_API_KEYS: project no. 2 has the same key as project no. 1; give each its own"},
		},
		{
			"one key for two projects across variables", []string{`BITVILLE_API_KEYS={"shop":"` + key1 + `"}`, "BITVILLE_API_KEY_BLOG=" + key1},
			[]string{"BITVILLE_API_KEYS: project no. 1 has the same key as project blog; give each its own"},
		},

		{
			"one project in both variables", []string{"BITVILLE_API_KEY_SHOP=" + key1, `BITVILLE_API_KEYS={"shop":"` + key2 + `"}`},
			[]string{"BITVILLE_API_KEYS: project no. 1 has its keys in BITVILLE_API_KEY_SHOP already; put them in one list"},
		},
		{
			"one project in both variables, spelled otherwise", []string{"BITVILLE_API_KEY_MY_SHOP=" + key1, `BITVILLE_API_KEYS={"My-Shop":"` + key2 + `"}`},
			[]string{"BITVILLE_API_KEYS: project no. 1 has its keys in BITVILLE_API_KEY_MY_SHOP already; put them in one list"},
		},
		{
			"one project in two names", []string{"BITVILLE_API_KEY_SHOP=" + key1, "BITVILLE_API_KEY_shop=" + key2},
			[]string{"BITVILLE_API_KEY_shop: project shop has its keys in BITVILLE_API_KEY_SHOP already; put them in one list"},
		},
		{
			"duplicate names in JSON", []string{`BITVILLE_API_KEYS={"shop":"` + key1 + `","shop":"` + key2 + `"}`},
			[]string{"BITVILLE_API_KEYS: project no. 2 has its keys in BITVILLE_API_KEYS already; put them in one list"},
		},
		{
			"duplicate names in JSON, by spelling", []string{`BITVILLE_API_KEYS={"my-shop":"` + key1 + `","MY.SHOP":"` + key2 + `"}`},
			[]string{"BITVILLE_API_KEYS: project no. 2 has its keys in BITVILLE_API_KEYS already; put them in one list"},
		},

		{"swapped in JSON", []string{`BITVILLE_API_KEYS={"` + key1 + `":"shop","blog":"` + key2 + `"}`}, []string{"BITVILLE_API_KEYS" + swapped}},
		{"swapped in a variable", []string{"BITVILLE_API_KEY_" + key1 + "=shop"}, []string{"BITVILLE_API_KEY_<PROJECT>" + swapped}},
		{"swapped with too long a key", []string{`BITVILLE_API_KEYS={"` + key1 + key2 + key3 + key1 + `":"shop"}`}, []string{"BITVILLE_API_KEYS" + strings.Replace(swapped, "16", "64", 1)}},
		{"empty under a long name", []string{"BITVILLE_API_KEY_CHECKOUT_2_EUROPE="}, []string{"BITVILLE_API_KEY_CHECKOUT_2_EUROPE: a key of project checkout_2_europe" + empty}},
		{"a short key for a name", []string{`BITVILLE_API_KEYS={"` + key1[:15] + `":","}`}, []string{inJSON + empty, inJSON + empty}},

		{"no project", []string{"BITVILLE_API_KEY_=" + key1}, []string{"BITVILLE_API_KEY_: the project's name is 0 characters long; 1 to 50"}},
		{"no project in JSON", []string{`BITVILLE_API_KEYS={"":"` + key1 + `"}`}, []string{"BITVILLE_API_KEYS: the project's name is 0 characters long; 1 to 50"}},
		{"a project of 51 characters", []string{`BITVILLE_API_KEYS={"` + strings.Repeat("é", 51) + `":"` + key1 + `"}`}, []string{"BITVILLE_API_KEYS: the project's name is 51 characters long; 1 to 50"}},

		{"JSON is empty", []string{"BITVILLE_API_KEYS="}, []string{"no API key is set: set BITVILLE_API_KEY_SHOP=<key> for a project named shop"}},
		{"JSON is a bare key", []string{"BITVILLE_API_KEYS=" + key1}, []string{notJSON}},
		{"JSON is a string", []string{`BITVILLE_API_KEYS="` + key1 + `"`}, []string{"BITVILLE_API_KEYS" + inQuotes}},
		{"JSON in quotes", []string{`BITVILLE_API_KEYS='{"shop":"` + key1 + `"}'`}, []string{"BITVILLE_API_KEYS" + inQuotes}},
		{"a key in quotes", []string{`BITVILLE_API_KEY_SHOP="` + key1 + `"`}, []string{"BITVILLE_API_KEY_SHOP" + inQuotes}},
		{"a key in single quotes", []string{`BITVILLE_API_KEY_SHOP= '` + key1 + `' `}, []string{"BITVILLE_API_KEY_SHOP" + inQuotes}},
		{"one of two keys in quotes", []string{`BITVILLE_API_KEY_SHOP=` + key1 + `,"` + key2 + `"`}, []string{inShop + inQuotes}},
		{"a key behind its variable", []string{"BITVILLE_API_KEY_SHOP=BITVILLE_API_KEY_SHOP=" + key1}, []string{inShop + afterName}},
		{"a key behind export", []string{"BITVILLE_API_KEY_SHOP=export BITVILLE_API_KEY_SHOP=" + key1}, []string{inShop + afterName}},
		{"a key behind its project", []string{"BITVILLE_API_KEY_SHOP=SHOP=" + key1}, []string{inShop + afterName}},
		{"a key behind its project and a colon", []string{"BITVILLE_API_KEY_SHOP=shop:" + key1}, []string{inShop + afterName}},
		{"a key behind Bearer", []string{"BITVILLE_API_KEY_SHOP=Bearer " + key1}, []string{inShop + " begins with Bearer: set the key alone"}},
		{"a key that no proxy takes", []string{"BITVILLE_API_KEY_SHOP=" + strings.Repeat(key1, 257)}, []string{inShop + " is longer than 4096 characters, which proxies refuse in a header; use a shorter one"}},
		{"changeme", []string{"BITVILLE_API_KEY_SHOP=changeme"}, []string{inShop + unset}},
		{"ChangeMe and more", []string{"BITVILLE_API_KEY_SHOP=Change-Me-1234567890"}, []string{inShop + unset}},
		{"your key", []string{"BITVILLE_API_KEY_SHOP=your-api-key-goes-here"}, []string{inShop + unset}},
		{"<key>", []string{"BITVILLE_API_KEY_SHOP=<key>"}, []string{inShop + unset}},
		{"the example's key", []string{"BITVILLE_API_KEY_SHOP=the-old-key-of-the-shop"}, []string{inShop + unset}},
		{"a variable that nothing replaced", []string{"BITVILLE_API_KEY_SHOP=${SHOP_KEY}"}, []string{inShop + unset}},
		{"a command that nothing ran", []string{"BITVILLE_API_KEY_SHOP=$(pass/shop)"}, []string{inShop + unset}},
		{"a template that nothing filled", []string{"BITVILLE_API_KEY_SHOP={{resolve:secretsmanager:shop}}"}, []string{inShop + unset}},
		{"the path of a secret", []string{"BITVILLE_API_KEY_SHOP=/run/secrets/shop_key"}, []string{inShop + " is the path of a file; set BITVILLE_API_KEY_SHOP_FILE to have the key read from it"}},
		{"the path of a file", []string{"BITVILLE_API_KEY_SHOP=./keys_test.go"}, []string{inShop + " is the path of a file; set BITVILLE_API_KEY_SHOP_FILE to have the key read from it"}},
		{"JSON is an array", []string{`BITVILLE_API_KEYS=["` + key1 + `"]`}, []string{notJSON}},
		{"JSON is null", []string{"BITVILLE_API_KEYS=null"}, []string{notJSON}},
		{"JSON ends early", []string{`BITVILLE_API_KEYS={"shop":"` + key1 + `"`}, []string{notJSON}},
		{"JSON ends in a name", []string{`BITVILLE_API_KEYS={"shop`}, []string{notJSON}},
		{"JSON ends behind a name", []string{`BITVILLE_API_KEYS={"shop":`}, []string{notJSON}},
		{"JSON closes with a bracket", []string{`BITVILLE_API_KEYS={"shop":"` + key1 + `"]`}, []string{notJSON}},
		{"JSON without quotes", []string{`BITVILLE_API_KEYS={shop:` + key1 + `}`}, []string{notJSON}},
		{"JSON with single quotes", []string{`BITVILLE_API_KEYS={'shop':'` + key1 + `'}`}, []string{notJSON}},
		{"JSON without a comma", []string{`BITVILLE_API_KEYS={"shop":"` + key1 + `" "blog":"` + key2 + `"}`}, []string{notJSON}},
		{"JSON with a comma at the end", []string{`BITVILLE_API_KEYS={"shop":"` + key1 + `",}`}, []string{notJSON}},
		{"JSON with a number", []string{`BITVILLE_API_KEYS={"shop":1234567890123456}`}, []string{notJSON}},
		{"JSON with null", []string{`BITVILLE_API_KEYS={"shop":null}`}, []string{notJSON}},
		{"JSON with an array", []string{`BITVILLE_API_KEYS={"shop":["` + key1 + `"]}`}, []string{notJSON}},
		{"JSON with an object", []string{`BITVILLE_API_KEYS={"shop":{"key":"` + key1 + `"}}`}, []string{notJSON}},
		{"JSON with more behind it", []string{`BITVILLE_API_KEYS={"shop":"` + key1 + `"} ` + key2}, []string{notJSON}},
		{"JSON twice", []string{`BITVILLE_API_KEYS={"shop":"` + key1 + `"}{"blog":"` + key2 + `"}`}, []string{notJSON}},
		{"JSON with a brace too many", []string{`BITVILLE_API_KEYS={"shop":"` + key1 + `"}}`}, []string{notJSON}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, warnings, err := config.Load(append(c.environ, enough[0]))
			require.Error(t, err)
			require.ElementsMatch(t, c.problems, strings.Split(err.Error(), "\n"))
			require.Empty(t, warnings)
			requireNoLeak(t, err.Error())
		})
	}
}

// inQuotes is what is told of a value that a file of settings has left in quotes.
const inQuotes = " is in quotes, which belong to the value where no shell takes them off (docker --env-file): set it without"
const afterName = " begins with a name and = or :, as a line of a settings file does; set the key alone"

// FuzzKeysJSON: what is accepted is what encoding/json reads as one object of strings; it has a key, every key has a project,
// neither is empty, and no key is two projects'.
func FuzzKeysJSON(f *testing.F) {
	for _, seed := range []string{`{}`, `{"shop":"` + key1 + `"}`, `{"shop":"a,b","blog":"c"}`, `{"a":"b"]`, `{"a":{}}`, `[`, `{"a":"b"}}`, `{"\u0061":"` + "\xff" + `"}`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		cfg, _, err := config.Load([]string{enough[0], "BITVILLE_API_KEYS=" + text})
		if err != nil {
			return
		}
		var want map[string]string
		require.NoError(t, json.Unmarshal([]byte(text), &want))
		require.NotEmpty(t, cfg.Keys)
		projects := make(map[auth.Secret]string)
		for _, k := range cfg.Keys {
			require.NotEmpty(t, k.Project)
			require.NotEmpty(t, k.Secret)
			other, taken := projects[k.Secret]
			require.True(t, !taken || other == k.Project, "one key for two projects")
			projects[k.Secret] = k.Project
		}
	})
}
