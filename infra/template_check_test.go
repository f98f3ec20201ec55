package infra_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/functions"
	"github.com/bitville/listener/shared/config"
)

// stackFunctions are the stack's: what the template calls each of the list, and what it is given beside the database.
func stackFunctions(t *testing.T) (all []stackFunction) {
	t.Helper()
	named := regexp.MustCompile(`(?m)^  (\w+Function):$`).FindAllStringSubmatch(readTemplate(t), -1)
	require.Len(t, named, len(functions.OnLambda()), "each function has a block in template.yaml, and no other has")
	for _, f := range functions.OnLambda() {
		one := stackFunction{folder: f.Name, hasURL: len(f.Patterns) > 0, takesKey: f.Needs.Keys, optional: f.Optional}
		for _, name := range named {
			if strings.EqualFold(name[1], f.Name+"Function") {
				one.name = name[1]
			}
		}
		require.NotEmpty(t, one.name, "%s has no block in template.yaml", f.Name)
		if f.Needs.Keys {
			one.settings = append(one.settings, "BITVILLE_API_KEYS", "BITVILLE_MAX_BODY_BYTES", "BITVILLE_REDACT")
		}
		if f.Optional {
			one.settings = append(one.settings, "BITVILLE_IMPORT_KEEP")
		}
		if f.Needs.Retention {
			one.settings = append(one.settings, "BITVILLE_RETENTION")
		}
		all = append(all, one)
	}
	return all
}

type stackFunction struct {
	name     string // in template.yaml, which is also what the Makefile builds it from
	folder   string
	hasURL   bool
	takesKey bool
	optional bool
	settings []string
}

// stack is a CloudFormation template, and the problems that were found with it.
type stack struct {
	Parameters map[string]struct {
		Type, Description, AllowedPattern, ConstraintDescription string
		Default                                                  any
		NoEcho                                                   bool
		AllowedValues                                            []any
		MinValue, MaxValue                                       *float64
	}
	Conditions map[string]any
	Mappings   map[string]map[string]map[string]string
	Resources  map[string]struct {
		Type, Condition string
		Properties      map[string]any
	}
	Outputs map[string]struct {
		Description, Condition string
		Value                  any
	}
	problems []string
}

// checkTemplate returns a line for each thing in a translated template that is not as it must be.
func checkTemplate(s *stack, all []stackFunction) []string {
	for _, f := range all {
		s.checkFunction(f.name)
		s.checkEnvironment(f.name, f.settings, f.takesKey)
		s.checkURL(f.name, f.hasURL)
	}
	s.checkOptional(all)
	s.checkSchedule()
	s.checkAlarms(all)
	s.checkRoles()
	s.checkNames()
	s.checkParameters()
	s.checkOutputs()
	return s.problems
}

func (s *stack) report(format string, args ...any) {
	s.problems = append(s.problems, fmt.Sprintf(format, args...))
}

// at returns what stands at a path below a resource's properties, as JSON, and "" where nothing does.
func (s *stack) at(resource, path string) string {
	var value any = s.Resources[resource].Properties
	for key := range strings.SplitSeq(path, ".") {
		members, _ := value.(map[string]any)
		if value = members[key]; value == nil {
			return ""
		}
	}
	return asJSON(value)
}

// expect reports what stands at a path if it is not the JSON wanted.
func (s *stack) expect(resource, path, want string) {
	if got := s.at(resource, path); got != want {
		s.report("%s.%s is %s, not %s", resource, path, got, want)
	}
}

func asJSON(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // it came from JSON
	}
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(text))
}

// of lists the resources of a type, in order.
func (s *stack) of(kind string) (names []string) {
	for name, r := range s.Resources {
		if r.Type == kind {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func ref(name string) string { return asJSON(map[string]any{"Ref": name}) }

func getAtt(name, attribute string) string {
	return asJSON(map[string]any{"Fn::GetAtt": []string{name, attribute}})
}

// find returns what the pattern's group matches, or "".
func find(pattern, text string) string {
	if groups := regexp.MustCompile(pattern).FindStringSubmatch(text); groups != nil {
		return groups[1]
	}
	return ""
}

func refersTo(text string) string { return find(`^{"Ref":"(\w+)"}$`, text) }
func isArnOf(text string) string  { return find(`^{"Fn::GetAtt":\["(\w+)","Arn"\]}$`, text) }

func (s *stack) checkFunction(name string) {
	if s.Resources[name].Type != "AWS::Lambda::Function" {
		s.report("%s is missing", name)
		return
	}
	s.expect(name, "Runtime", `"provided.al2023"`)
	s.expect(name, "Handler", `"bootstrap"`)
	s.expect(name, "Architectures", `["arm64"]`)
	s.expect(name, "TracingConfig.Mode", ref("Tracing"))
	s.expect(name, "LoggingConfig.LogFormat", `"JSON"`)

	logs := refersTo(s.at(name, "LoggingConfig.LogGroup"))
	if s.Resources[logs].Type != "AWS::Logs::LogGroup" || !strings.HasPrefix(logs, strings.TrimSuffix(name, "Function")) {
		s.report("%s has no log group of its own", name)
	}
	s.expect(logs, "RetentionInDays", ref("LogRetentionDays"))
	if role := isArnOf(s.at(name, "Role")); !s.allows(role, "logs:PutLogEvents", getAtt(logs, "Arn")) || !s.allows(role, "xray:PutTraceSegments", `"*"`) {
		s.report("%s may not log or trace", name)
	}

	reserved := s.at(name, "ReservedConcurrentExecutions")
	if parameter := find(`^{"Fn::If":\["\w+",{"Ref":"(\w+)"},{"Ref":"AWS::NoValue"}\]}$`, reserved); s.Parameters[parameter].Type == "" {
		s.report("%s reserves the concurrency %s, which is no parameter's", name, reserved)
	}
}

// checkEnvironment works out the variables of a function as CloudFormation would, with a database token and
// without one, and has the function's own code read them.
func (s *stack) checkEnvironment(name string, settings []string, takesKey bool) {
	environment, _ := s.Resources[name].Properties["Environment"].(map[string]any)
	variables, _ := environment["Variables"].(map[string]any)
	for _, token := range []bool{true, false} {
		var environ, names []string
		for variable, value := range variables {
			if value, ok := s.resolve(value, token); ok {
				environ = append(environ, variable+"="+value)
				names = append(names, variable)
			}
		}
		want := append([]string{"BITVILLE_DB_URL", "BITVILLE_LOG_FORMAT", "BITVILLE_LOG_LEVEL"}, settings...)
		if token {
			want = append(want, "BITVILLE_DB_AUTH_TOKEN")
		}
		slices.Sort(names)
		slices.Sort(want)
		if !slices.Equal(names, want) {
			s.report("%s has the variables %v, not %v", name, names, want)
		}
		cfg, warnings, err := config.LoadFunction(environ, takesKey)
		if err != nil || len(warnings) > 0 {
			s.report("%s would not start, or warn: %v %v", name, err, warnings)
		}
		if takesKey && len(cfg.Keys) != 3 {
			s.report("%s got %d keys, not 3", name, len(cfg.Keys))
		}
	}
}

// resolve returns the text that a value stands for, and false where it stands for nothing. Parameters have
// their defaults, and others what a user would give. A secret's text is known by no other way than the
// dynamic reference to it.
func (s *stack) resolve(value any, token bool) (text string, ok bool) {
	given := map[string]string{
		"DatabaseUrl": "libsql://bitville-yours.turso.io", "ApiKeysSecret": "bitville/keys",
		"DatabaseTokenSecret": "bitville/token", "AWS::NoValue": "",
	}
	parameter := func(name string) string {
		if value, ok := given[name]; ok {
			return value
		}
		return plain(s.Parameters[name].Default)
	}
	members, isMap := value.(map[string]any)
	if !isMap {
		return plain(value), true
	}
	if name, ok := members["Ref"].(string); ok {
		return parameter(name), name != "AWS::NoValue"
	}
	if list, ok := members["Fn::If"].([]any); ok {
		if list[0] == "HasDatabaseToken" && token {
			return s.resolve(list[1], token)
		}
		return s.resolve(list[2], token)
	}
	text, _ = members["Fn::Sub"].(string)
	text = regexp.MustCompile(`\$\{\w+\}`).ReplaceAllStringFunc(text, func(name string) string { return parameter(name[2 : len(name)-1]) })
	switch text {
	case "{{resolve:secretsmanager:bitville/keys:SecretString:::}}":
		return `{"shop":"0123456789abcdef,fedcba9876543210","blog":"00112233445566778899"}`, true
	case "{{resolve:secretsmanager:bitville/token:SecretString:::}}":
		return "the-token", true
	}
	s.report("cannot resolve %s", asJSON(value))
	return "", false
}

// plain is a string or a number as CloudFormation hands it on.
func plain(value any) string {
	if text, ok := value.(string); ok {
		return text
	}
	return asJSON(value)
}

// checkURL looks for the function's URL and for both permissions without which it answers 403.
func (s *stack) checkURL(name string, has bool) {
	var found, permissions []string
	for _, url := range s.of("AWS::Lambda::Url") {
		if s.at(url, "TargetFunctionArn") == ref(name) {
			found = append(found, asJSON(s.Resources[url].Properties))
		}
	}
	for _, p := range s.of("AWS::Lambda::Permission") {
		if s.at(p, "FunctionName") == ref(name) {
			permissions = append(permissions, asJSON(s.Resources[p].Properties))
		}
	}
	var wantFound, wantPermissions []string
	if has {
		wantFound = []string{`{"AuthType":"NONE","InvokeMode":"RESPONSE_STREAM","TargetFunctionArn":` + ref(name) + `}`} // and no Cors
		wantPermissions = []string{
			`{"Action":"lambda:InvokeFunction","FunctionName":` + ref(name) + `,"InvokedViaFunctionUrl":true,"Principal":"*"}`,
			`{"Action":"lambda:InvokeFunctionUrl","FunctionName":` + ref(name) + `,"FunctionUrlAuthType":"NONE","Principal":"*"}`,
		}
	}
	slices.Sort(permissions)
	if !slices.Equal(found, wantFound) {
		s.report("%s has the URLs %v, not %v", name, found, wantFound)
	}
	if !slices.Equal(permissions, wantPermissions) {
		s.report("%s has the permissions %v, not %v", name, permissions, wantPermissions)
	}
}

// checkOutputs looks at what a deployment prints.
func (s *stack) checkOutputs() {
	want := map[string]string{
		"IngestPhpUrl":         `{"Fn::Sub":"${IngestPhpFunctionUrl.FunctionUrl}ingest/php"}`,
		"IngestPostgresUrl":    `{"Fn::Sub":"${IngestPostgresFunctionUrl.FunctionUrl}ingest/postgres"}`,
		"ImportXhguiUrl":       `{"Fn::Sub":"${ImportXhguiFunctionUrl.FunctionUrl}run/import"}`,
		"ImportOtlpUrl":        `{"Fn::Sub":"${ImportOtlpFunctionUrl.FunctionUrl}v1/traces"}`,
		"ImportBuggregatorUrl": `{"Fn::Sub":"${ImportBuggregatorFunctionUrl.FunctionUrl}api/profiler/store"}`,
		"RefusalsUrl":          `{"Fn::Sub":"${RefusalsFunctionUrl.FunctionUrl}refusals"}`,
		"HealthUrl":            `{"Fn::Sub":"${HealthFunctionUrl.FunctionUrl}health"}`,
		"ReadyUrl":             `{"Fn::Sub":"${HealthFunctionUrl.FunctionUrl}ready"}`,
		"Smoke": `{"Fn::Sub":"make smoke URL=${IngestPhpFunctionUrl.FunctionUrl} POSTGRES_URL=${IngestPostgresFunctionUrl.FunctionUrl} ` +
			`HEALTH_URL=${HealthFunctionUrl.FunctionUrl} PROJECT=shop KEY=$KEY"}`,
		"AlarmTopic":   ref("AlarmTopic"),
		"FailedPurges": ref("FailedPurges"),
	}
	want["Curl"] = asJSON(s.Outputs["Curl"].Value) // TestTemplateCurl runs it
	for name, value := range want {
		if got := asJSON(s.Outputs[name].Value); got != value {
			s.report("output %s is %s, not %s", name, got, value)
		}
	}
	if len(s.Outputs) != len(want) {
		s.report("the outputs are %v", slices.Sorted(maps.Keys(s.Outputs)))
	}
}
