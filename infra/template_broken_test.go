package infra_test

// brokenTemplates are changes of template.yaml, each with a problem that must be reported: the first text
// that the pattern matches is replaced.
var brokenTemplates = []struct{ old, new, problem string }{
	{`provided\.al2023`, "provided.al2", `IngestPhpFunction.Runtime is "provided.al2"`},
	{`\[arm64\]`, "[x86_64]", `HealthFunction.Architectures is ["x86_64"]`},
	{`Handler: bootstrap`, "Handler: main", `RetentionFunction.Handler is "main"`},
	{`Tracing: !Ref Tracing`, "Tracing: PassThrough", `TracingConfig.Mode is "PassThrough"`},
	{`LogFormat: JSON`, "LogFormat: Text", `LoggingConfig.LogFormat is "Text"`},
	{`LogGroup: !Ref HealthLogs`, "LogGroup: !Ref RetentionLogs", "HealthFunction has no log group of its own"},
	{`RetentionInDays: !Ref LogRetentionDays`, "LogGroupName: /aws/lambda/ingest", "IngestPhpLogs.RetentionInDays is ,"},
	{`RetentionInDays: !Ref LogRetentionDays`, "LogGroupName: /aws/lambda/ingest", `IngestPhpLogs.LogGroupName is "/aws/lambda/ingest"`},
	{`                  - !GetAtt HealthLogs.Arn\n`, "", "HealthFunction may not log or trace"},
	{`!If \[ReserveHealth, .*`, "5", "HealthFunction reserves the concurrency 5"},

	{`BITVILLE_DB_URL: .*`, "BITVILLE_DB_PATH: /tmp/b.db", "HealthFunction has the variables"},
	{`BITVILLE_LOG_FORMAT: json`, "BITVILLE_LOG_FORMAT: xml", "HealthFunction would not start"},
	{`BITVILLE_LOG_FORMAT: json`, "BITVILLE_LOG_FORMT: json", "BITVILLE_LOG_FORMT is not a setting"},
	{`(?m)^        BITVILLE_DB_URL`, "        BITVILLE_API_KEYS: '{\"shop\":\"0123456789abcdef\"}'\n        BITVILLE_DB_URL", "HealthFunction has the variables"},
	{`BITVILLE_API_KEYS: .*`, "BITVILLE_API_KEYS: '{\"shop\":\"0123456789abcdef\"}'", "IngestPhpFunction got 1 keys"},
	{`BITVILLE_API_KEYS: .*`, "BITVILLE_API_KEYS: !Ref ApiKeysSecret", "IngestPhpFunction would not start"},
	{`SecretString:::\$\{ApiKeysVersion\}`, "SecretString:shop::${ApiKeysVersion}", "cannot resolve"},
	{`Default: 168h`, "Default: 7d", "RetentionFunction would not start"},

	{`AuthType: NONE`, "AuthType: AWS_IAM", "IngestPhpFunction has the permissions"},
	{`InvokeMode: RESPONSE_STREAM`, "InvokeMode: BUFFERED", "IngestPhpFunction has the URLs"},
	{`InvokeMode: RESPONSE_STREAM`, "Cors: {AllowOrigins: ['*']}\n        InvokeMode: RESPONSE_STREAM", "IngestPhpFunction has the URLs"},
	{`(?s)Timeout: 300`, "Timeout: 300\n      FunctionUrlConfig: {AuthType: NONE, InvokeMode: RESPONSE_STREAM}", "RetentionFunction has the URLs"},

	{`(?s)(  ImportXhguiFunction:\n.*?\n)    Condition: ImportXhgui\n`, "  ImportXhguiFunction:\n    Type: AWS::Serverless::Function\n", "ImportXhguiFunction depends on the condition , not ImportXhgui"},
	{`(?s)  ImportXhguiLogs:\n.*?    Condition: ImportXhgui\n`, "  ImportXhguiLogs:\n    Type: AWS::Logs::LogGroup\n", "ImportXhguiLogs depends on the condition , not ImportXhgui"},
	{`    Condition: ImportBuggregator\n    Description`, "    Description", "output ImportBuggregatorUrl depends on the condition , not ImportBuggregator"},
	{`ImportFunctions, Buggregator\]`, "ImportFunctions, Xhgui]", "ImportBuggregator is"},
	{`    Default: none\n    Description: The functions`, "    Default: xhgui\n    Description: The functions", "ImportFunctions deploys xhgui by default"},
	{`none: \{Xhgui: left-out`, "none: {Xhgui: deployed", "ImportFunctions none deploys [Xhgui]"},
	{`all: \{Xhgui: deployed`, "all: {Xhgui: left-out", "ImportFunctions all deploys"},
	{`, all\]`, ", everything]", "ImportFunctions may be"},

	{`OmitName: true`, "OmitName: false", `RetentionFunctionHourly.Name is "RetentionFunctionHourly"`},
	{`rate\(1 hour\)`, "rate(1 day)", `ScheduleExpression is "rate(1 day)"`},
	{`OmitName: true`, "OmitName: true\n            State: DISABLED", `State is "DISABLED"`},
	{`(?s)            RetryPolicy:.*?3600\n`, "", "RetentionFunctionHourly.Target.RetryPolicy is ,"},
	{`(?s)            DeadLetterConfig:\n.*?\n`, "", "Target.DeadLetterConfig.Arn is no queue"},
	{`(?s)        DestinationConfig:.*?FailedPurges.Arn\n`, "", "DestinationConfig.OnFailure.Destination is no queue"},
	{`(?s)              - Effect: Allow\n                Action: sqs:SendMessage\n.*?\n`, "", "PurgeRole may not send"},

	{`Action: \[logs:CreateLogStream, logs:PutLogEvents\]`, "Action: logs:*", `UrlRole may do "logs:*"`},
	{`Resource: !GetAtt RetentionLogs.Arn`, `Resource: "*"`, `PurgeRole may do "logs:PutLogEvents" on everything`},
	{`(?s)UrlRole:\n.*?Properties:`, "UrlRole:\n    Type: AWS::IAM::Role\n    Properties:\n      ManagedPolicyArns: [arn:aws:iam::aws:policy/AdministratorAccess]", "UrlRole.ManagedPolicyArns is"},

	{`MetricName: Url5xxCount`, "MetricName: Url4xxCount", "no alarm watches Url5xxCount"},
	{`MetricName: Throttles`, "MetricName: Errors", "no alarm watches Throttles"},
	{`Period: 3600\n      EvaluationPeriods: 2`, "Period: 3600\n      EvaluationPeriods: 3", "RetentionNotRun.EvaluationPeriods is 3"},
	{`TreatMissingData: breaching`, "TreatMissingData: missing", `RetentionNotRun.TreatMissingData is "missing"`},
	{`AlarmActions: \[!Ref AlarmTopic\]`, "AlarmActions: []", "IngestPhpServerErrors.AlarmActions is []"},
	{`    Condition: HasAlarmEmail\n`, "", "the alarms' subscription depends on null"},

	{`Type: AWS::SQS::Queue\n    Properties:`, "Type: AWS::SQS::Queue\n    Properties:\n      QueueName: failed", `FailedPurges.QueueName is "failed"`},
	{`Type: AWS::SNS::Topic`, "Type: AWS::SNS::Topic\n    Properties: {TopicName: alarms}", `AlarmTopic.TopicName is "alarms"`},
	{`Description: Takes the records of PHP agents`, "FunctionName: ingest", `IngestPhpFunction.FunctionName is "ingest"`},
	{`Type: AWS::SNS::Topic`, "Type: AWS::DynamoDB::Table", "AlarmTopic is a AWS::DynamoDB::Table"},

	{`    Description: How many days the logs are kept\n`, "", "parameter LogRetentionDays has no description"},
	{`    AllowedValues: \[debug.*`, "", "parameter LogLevel has no description, or no bounds"},
	{`    MinValue: 1024\n`, "", "parameter MaxBodyBytes has no description, or no bounds"},
	{`Endpoint: !Ref AlarmEmail`, "Endpoint: ops@example.com", "AlarmSubscription.Endpoint"},
	{`BITVILLE_MAX_BODY_BYTES: !Ref MaxBodyBytes(?s:.*)BITVILLE_MAX_BODY_BYTES: !Ref MaxBodyBytes`, "", "parameter MaxBodyBytes is not used"},
	{`FunctionUrl\}health`, "FunctionUrl}", "output HealthUrl is"},
	{`(?m)^  ReadyUrl:`, "  Other:", "output ReadyUrl is"},
}
