package infra_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// checkSchedule looks for the hourly purge, and for what happens when one cannot be started or fails.
func (s *stack) checkSchedule() {
	schedules := s.of("AWS::Scheduler::Schedule")
	if len(schedules) != 1 {
		s.report("the schedules are %v", schedules)
		return
	}
	hourly := schedules[0]
	s.expect(hourly, "ScheduleExpression", `"rate(1 hour)"`)
	s.expect(hourly, "State", "")
	s.expect(hourly, "Target.Arn", getAtt("RetentionFunction", "Arn"))
	s.expect(hourly, "Target.RetryPolicy", `{"MaximumEventAgeInSeconds":3600,"MaximumRetryAttempts":5}`)
	role := isArnOf(s.at(hourly, "Target.RoleArn"))
	if !s.allows(role, "lambda:InvokeFunction", getAtt("RetentionFunction", "Arn")) {
		s.report("%s may not invoke the function", hourly)
	}
	s.checkQueue(hourly, "Target.DeadLetterConfig.Arn", role)

	configs := s.of("AWS::Lambda::EventInvokeConfig")
	if len(configs) != 1 {
		s.report("the EventInvokeConfigs are %v", configs)
		return
	}
	s.expect(configs[0], "FunctionName", ref("RetentionFunction"))
	s.expect(configs[0], "MaximumRetryAttempts", "2")
	s.checkQueue(configs[0], "DestinationConfig.OnFailure.Destination", isArnOf(s.at("RetentionFunction", "Role")))
}

// checkQueue looks for a queue at a path of a resource, and for the role's right to send to it.
func (s *stack) checkQueue(resource, path, role string) {
	queue := isArnOf(s.at(resource, path))
	if s.Resources[queue].Type != "AWS::SQS::Queue" {
		s.report("%s.%s is no queue: %s", resource, path, s.at(resource, path))
	}
	if !s.allows(role, "sqs:SendMessage", getAtt(queue, "Arn")) {
		s.report("%s may not send to the queue of %s", role, resource)
	}
}

// statement of a policy. What may be one string or a list is read as JSON.
type statement struct {
	Effect           string
	Action, Resource any
}

func (s *stack) statements(role string) (all []statement) {
	var policies []struct {
		PolicyDocument struct{ Statement []statement }
	}
	if err := json.Unmarshal([]byte(s.at(role, "Policies")), &policies); err != nil {
		return nil
	}
	for _, p := range policies {
		all = append(all, p.PolicyDocument.Statement...)
	}
	return all
}

func each(value any) (all []string) {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	for _, v := range list {
		if members, _ := v.(map[string]any); members["Fn::If"] != nil { // of what is deployed or not
			v = members["Fn::If"].([]any)[1]
		}
		all = append(all, asJSON(v))
	}
	return all
}

func (s *stack) allows(role, action, resource string) bool {
	return slices.ContainsFunc(s.statements(role), func(st statement) bool {
		return st.Effect == "Allow" && slices.Contains(each(st.Action), asJSON(action)) && slices.Contains(each(st.Resource), resource)
	})
}

// checkRoles allows nothing wide: what a role may do stands in it, action by action.
func (s *stack) checkRoles() {
	for _, role := range s.of("AWS::IAM::Role") {
		s.expect(role, "ManagedPolicyArns", "")
		for _, st := range s.statements(role) {
			for _, action := range each(st.Action) {
				if strings.Contains(action, "*") {
					s.report("%s may do %s", role, action)
				}
				if slices.Contains(each(st.Resource), `"*"`) && !strings.HasPrefix(action, `"xray:`) {
					s.report("%s may do %s on everything", role, action)
				}
			}
		}
	}
}

// checkAlarms looks for each alarm that must be there, and for the topic that it tells.
func (s *stack) checkAlarms(all []stackFunction) {
	const above = `"GreaterThanOrEqualToThreshold"`
	dimension := func(name, value string) string { return `[{"Name":"` + name + `","Value":` + value + `}]` }
	type alarm struct{ namespace, metric, dimensions, statistic, period, periods, threshold, compare, missing string }
	want := []alarm{
		{"SQS", "ApproximateNumberOfMessagesVisible", dimension("QueueName", getAtt("FailedPurges", "QueueName")), "Maximum", "300", "1", "1", above, "notBreaching"},
		{"Lambda", "Invocations", dimension("FunctionName", ref("RetentionFunction")), "Sum", "3600", "2", "1", `"LessThanThreshold"`, "breaching"},
	}
	for _, f := range all {
		of := dimension("FunctionName", ref(f.name))
		want = append(want,
			alarm{"Lambda", "Errors", of, "Sum", "300", "1", "1", above, "notBreaching"},
			alarm{"Lambda", "Throttles", of, "Sum", "300", "1", "1", above, "notBreaching"})
		if f.hasURL {
			want = append(want, alarm{"Lambda", "Url5xxCount", of, "Sum", "300", "1", "5", above, "notBreaching"})
		}
	}
	alarms := make(map[string]string) // by namespace, metric and dimensions
	for _, name := range s.of("AWS::CloudWatch::Alarm") {
		alarms[s.at(name, "Namespace")+s.at(name, "MetricName")+s.at(name, "Dimensions")] = name
		s.expect(name, "AlarmActions", "["+ref("AlarmTopic")+"]")
		s.expect(name, "ActionsEnabled", "")
	}
	for _, a := range want {
		name, ok := alarms[`"AWS/`+a.namespace+`""`+a.metric+`"`+a.dimensions]
		if !ok {
			s.report("no alarm watches %s of %s", a.metric, a.dimensions)
			continue
		}
		for path, value := range map[string]string{
			"Statistic": asJSON(a.statistic), "Period": a.period, "EvaluationPeriods": a.periods, "Threshold": a.threshold,
			"ComparisonOperator": a.compare, "TreatMissingData": asJSON(a.missing), "DatapointsToAlarm": "",
		} {
			s.expect(name, path, value)
		}
	}
	s.expect("AlarmSubscription", "TopicArn", ref("AlarmTopic"))
	s.expect("AlarmSubscription", "Endpoint", ref("AlarmEmail"))
	if got := asJSON(s.Conditions[s.Resources["AlarmSubscription"].Condition]); got != `{"Fn::Not":[{"Fn::Equals":[{"Ref":"AlarmEmail"},""]}]}` {
		s.report("the alarms' subscription depends on %s", got)
	}
}

// nameOf is the property that would give a resource a name of its own, by type. A second stack in the same
// account and region would fail on it.
var nameOf = map[string]string{
	"AWS::CloudWatch::Alarm": "AlarmName", "AWS::IAM::Role": "RoleName", "AWS::Lambda::Function": "FunctionName",
	"AWS::Logs::LogGroup": "LogGroupName", "AWS::SNS::Topic": "TopicName", "AWS::SQS::Queue": "QueueName",
	"AWS::Scheduler::Schedule": "Name",
	// These cannot be named.
	"AWS::Lambda::EventInvokeConfig": "", "AWS::Lambda::Permission": "", "AWS::Lambda::Url": "", "AWS::SNS::Subscription": "",
}

func (s *stack) checkNames() {
	for _, name := range slices.Sorted(maps.Keys(s.Resources)) {
		property, known := nameOf[s.Resources[name].Type]
		if !known {
			s.report("%s is a %s: tell this test how such a resource would be named", name, s.Resources[name].Type)
		} else if property != "" {
			s.expect(name, property, "")
		}
	}
}

// checkParameters holds that each is described, bounded and used, and that none is a secret in the clear.
func (s *stack) checkParameters() {
	used := asJSON([]any{s.Conditions, s.Resources, s.Outputs})
	for _, name := range slices.Sorted(maps.Keys(s.Parameters)) {
		p := s.Parameters[name]
		bounded := p.AllowedValues != nil || p.MinValue != nil && p.MaxValue != nil || strings.HasPrefix(p.AllowedPattern, "^") && strings.HasSuffix(p.AllowedPattern, "$")
		if p.Description == "" || !bounded || p.AllowedValues == nil && p.ConstraintDescription == "" {
			s.report("parameter %s has no description, or no bounds, or does not say which", name)
		}
		if !strings.Contains(used, `"Ref":"`+name+`"`) && !strings.Contains(used, "${"+name+"}") {
			s.report("parameter %s is not used", name)
		}
		if strings.Contains(used, "{{resolve:secretsmanager:"+fmt.Sprint(p.Default)) && p.Default != nil && p.Default != "" {
			s.report("parameter %s names a secret by default", name)
		}
	}
}
