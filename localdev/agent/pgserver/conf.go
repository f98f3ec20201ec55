package pgserver

import "strings"

// Config returns lines of postgresql.conf that suit the agent, with what they cost.
func Config(want Wanted) string {
	destination, prefix := "'stderr,jsonlog'    # in PostgreSQL 13 and 14: 'stderr,csvlog'", ""
	switch want.Format {
	case "csvlog":
		destination = "'stderr,csvlog'"
	case "stderr":
		destination = "'stderr'"
		prefix = "log_line_prefix = " + literal(want.Prefix) + "    # as the agent is told by --log-line-prefix\n"
	}
	libraries := "'auto_explain'"
	if want.Statements {
		libraries = "'auto_explain,pg_stat_statements'"
	}
	role := want.AppRole
	if role == "" {
		role = "app"
	}
	return strings.NewReplacer("<libraries>", libraries, "<destination>", destination, "<prefix>", prefix, "<role>", identifier(role)).Replace(conf)
}

const conf = `# The first two need a restart, the others a reload. A library that is already loaded stays in the list.
shared_preload_libraries = <libraries>    # pg_stat_statements costs some percent of throughput, auto_explain nothing while it is off
logging_collector = on
log_destination = <destination>
<prefix>lc_messages = 'C'                         # the agent reads English
log_timezone = 'UTC'
log_directory = '/var/log/postgresql'     # outside of the data directory, which no other user may enter
log_file_mode = 0640                      # the agent's user reads the log as a member of the group postgres
log_rotation_age = 1d
log_rotation_size = 100MB                 # the agent follows rotation; nothing removes old files but you

# Plans of the sampled requests only: a request asks for them itself, all others log nothing and cost nothing.
# One request in a hundred is within the noise of pgbench -S. Once, as a superuser, in PostgreSQL 15 and later:
#   GRANT SET ON PARAMETER auto_explain.log_min_duration TO <role>;
auto_explain.log_min_duration = -1        # before 15: a threshold, such as 100ms; never 0, which halves throughput (-43 to -60 %)
                                          # and logs some 2 kB a statement
auto_explain.log_format = 'json'
auto_explain.log_analyze = on             # real rows and times; costs only where a plan is logged
auto_explain.log_buffers = on
auto_explain.log_nested_statements = on   # what functions and triggers run
compute_query_id = on                     # a nested statement finds its caller by it
`
