package infra_test

import (
	"bytes"
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/functions/ingestphp"
	"github.com/bitville/listener/shared/config"
	"github.com/bitville/listener/shared/host"
	"github.com/bitville/listener/shared/lambdahost"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

// samTool returns the path of a program that testdata/tools/sam.sh installs. Where it is missing, in the version
// wanted, the test is skipped, and fails under CI=true.
func samTool(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("bash", root+"/testdata/tools/install.sh", "--check", "sam").CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 3 && os.Getenv("CI") != "true" {
		t.Skip(string(out))
	}
	require.NoError(t, err, "%s", out)
	path, err := filepath.Abs(filepath.Join(root, ".tools/sam/bin", name))
	require.NoError(t, err)
	return path
}

// run runs a program in a folder, away from the user's AWS account and settings, and returns what it printed.
func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), "SAM_CLI_TELEMETRY=0", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null")
	cmd.Env = append(cmd.Env, env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	require.NoError(t, cmd.Run(), "%s %s\n%s%s", name, strings.Join(args, " "), &stdout, &stderr)
	return stdout.String()
}

// translate returns the CloudFormation that AWS's translator makes of SAM templates.
func translate(t *testing.T, templates ...string) (stacks []*stack) {
	t.Helper()
	args := []string{"testdata/sam/translate.py"}
	for _, text := range templates {
		path := filepath.Join(t.TempDir(), "template.yaml")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		args = append(args, path)
	}
	out := run(t, root, nil, samTool(t, "python"), args...)
	require.NoError(t, json.Unmarshal([]byte(out), &stacks))
	require.Len(t, stacks, len(templates))
	return stacks
}

func readTemplate(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(root + "/template.yaml")
	require.NoError(t, err)
	return string(text)
}

func TestTemplateLint(t *testing.T) {
	run(t, root, nil, samTool(t, "sam"), "validate", "--lint")
	translated := filepath.Join(t.TempDir(), "translated.json")
	stacks := run(t, root, nil, samTool(t, "python"), "testdata/sam/translate.py", "template.yaml")
	require.NoError(t, os.WriteFile(translated, []byte(strings.TrimSuffix(strings.TrimPrefix(stacks, "["), "]")), 0o600))
	require.Empty(t, run(t, root, nil, samTool(t, "cfn-lint"), "template.yaml", translated))
}

func TestTemplate(t *testing.T) {
	require.Empty(t, checkTemplate(translate(t, readTemplate(t))[0], stackFunctions(t)))
}

// TestTemplateRules breaks the template in many ways, for a check that cannot fail says nothing.
func TestTemplateRules(t *testing.T) {
	whole, all := readTemplate(t), stackFunctions(t)
	var templates []string
	for _, c := range brokenTemplates {
		require.Regexp(t, c.old, whole, c.problem)
		broken := whole
		if at := regexp.MustCompile(c.old).FindStringIndex(whole); at != nil {
			broken = whole[:at[0]] + c.new + whole[at[1]:]
		}
		templates = append(templates, broken)
	}
	for i, s := range translate(t, templates...) {
		c := brokenTemplates[i]
		require.Contains(t, strings.Join(checkTemplate(s, all), "\n"), c.problem, "%s -> %s", c.old, c.new)
	}
}

// TestTemplatePatterns gives the parameters good values and bad ones.
func TestTemplatePatterns(t *testing.T) {
	s := translate(t, readTemplate(t))[0]
	const version = "a1b2c3d4-5678-90ab-cdef-1234567890ab"
	for _, c := range []struct {
		parameter string
		good, bad []string
	}{
		{
			"DatabaseUrl",
			[]string{"libsql://bitville-yours.turso.io", "https://sqld.example.com:8080", "https://sqld.example.com/"},
			[]string{"", "http://sqld.example.com", "file:bitville.db", "libsql://host?authToken=x", "https://user@host", "libsql://", "https://host\n"},
		},
		{"DatabaseTokenSecret", []string{"", "bitville/token", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:bitville/token-AbCdEf"}, []string{"a b", "x:y", "x}}"}},
		{"DatabaseTokenVersion", []string{"", version}, []string{"1", version + ":"}},
		{"ApiKeysSecret", []string{"bitville/keys", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:keys-AbCdEf"}, []string{"", `{"shop":"key"}`, "arn:aws:s3:::x"}},
		{"ApiKeysVersion", []string{"", version}, []string{"AWSCURRENT", version + "}}"}},
		{"Retention", []string{"1h", "168h", "8760h"}, []string{"", "0h", "168", "7d", "-1h"}},
		{"IngestConcurrency", []string{"none", "1", "50", "1000"}, []string{"", "0", "-1", "None", "1.5"}},
		{"ImportKeep", []string{"", "env", "query_values,exception.message"}, []string{"env, get", ",", "env,", "a=b"}},
		{"HealthConcurrency", []string{"none", "5"}, []string{"", "0"}},
		{"AlarmEmail", []string{"", "ops@example.com"}, []string{"ops", "ops@example", "a b@example.com"}},
	} {
		pattern := regexp.MustCompile(s.Parameters[c.parameter].AllowedPattern)
		for _, value := range c.good {
			require.Regexp(t, pattern, value, c.parameter)
		}
		for _, value := range c.bad {
			require.NotRegexp(t, pattern, value, c.parameter)
		}
	}
}

// TestTemplateCurl posts what the curl line posts that a deployment prints.
func TestTemplateCurl(t *testing.T) {
	output, _ := translate(t, readTemplate(t))[0].Outputs["Curl"].Value.(map[string]any)
	line, _ := output["Fn::Sub"].(string)
	line = strings.ReplaceAll(line, "${IngestPhpFunctionUrl.FunctionUrl}", "https://abc.lambda-url.eu-central-1.on.aws/")
	printed := run(t, root, []string{"KEY=the-key-0123456789"}, "bash", "-c", `curl() { printf '%s\n' "$@"; }; `+line)
	args := strings.Split(strings.TrimSuffix(printed, "\n"), "\n")
	require.Len(t, args, 10)
	require.Equal(t, []string{"-sS", "-w", `\n`, "-H", "Authorization: Bearer the-key-0123456789", "-H", "Content-Type: application/json", "-d"}, args[:8])
	require.Equal(t, "https://abc.lambda-url.eu-central-1.on.aws/ingest/php", args[9])

	db, _ := sqlitetest.New(t)
	cfg, _, err := config.Load([]string{"BITVILLE_API_KEY_SHOP=the-key-0123456789", "BITVILLE_DB_PATH=unused"})
	require.NoError(t, err)
	deps := host.New(cfg, db, slog.New(slog.DiscardHandler), time.Now, "", host.Unobserved)
	handler := lambdahost.Handler(deps, ingestphp.New(deps.Intake))
	r := httptest.NewRequest("POST", args[9], strings.NewReader(args[8]))
	r.Header.Set("Authorization", "Bearer the-key-0123456789")
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	require.JSONEq(t, `{"accepted":1,"duplicates":0,"rejected":[]}`, w.Body.String())
}

// TestSAMBuild builds the functions as a deployment does, from the files that a fresh clone has.
func TestSAMBuild(t *testing.T) {
	sam := samTool(t, "sam")
	clone := t.TempDir()
	listed := run(t, root, nil, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	for name := range strings.SplitSeq(strings.TrimSuffix(listed, "\x00"), "\x00") {
		content, err := os.ReadFile(filepath.Join(root, name))
		if errors.Is(err, os.ErrNotExist) {
			continue // removed, and not yet committed
		}
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(clone, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(clone, name), content, 0o600))
	}
	const version = "v0.0.0-handed-down"
	run(t, clone, []string{"VERSION=" + version}, sam, "build")
	for _, f := range stackFunctions(t) {
		bootstrap, err := os.ReadFile(filepath.Join(clone, ".aws-sam/build", f.name, "bootstrap"))
		require.NoError(t, err)
		require.Less(t, len(bootstrap), 9_000_000, f.name)

		program, err := elf.NewFile(bytes.NewReader(bootstrap))
		require.NoError(t, err)
		require.Equal(t, elf.EM_AARCH64, program.Machine, f.name)
		for _, p := range program.Progs {
			require.NotContains(t, []elf.ProgType{elf.PT_INTERP, elf.PT_DYNAMIC}, p.Type, "%s is not static", f.name)
		}

		info, err := buildinfo.Read(bytes.NewReader(bootstrap))
		require.NoError(t, err)
		require.Equal(t, "github.com/bitville/listener/functions/"+f.folder+"/lambda", info.Path)
		var linked []string
		for _, m := range info.Deps {
			linked = append(linked, m.Path)
		}
		require.Contains(t, linked, "github.com/aws/aws-lambda-go", "the list is of what is linked")
		require.NotContains(t, linked, "modernc.org/sqlite", f.name)
		require.Equal(t, f.name == "HealthFunction", bytes.Contains(bootstrap, []byte(version)), f.name)
	}
}
