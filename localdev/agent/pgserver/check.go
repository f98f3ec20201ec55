package pgserver

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Wanted is what the agent is to do, and so what a server is held against.
type Wanted struct {
	Format     string // of the log: auto, jsonlog, csvlog, stderr
	Prefix     string // that the agent reads in the format stderr
	OverSQL    bool   // the log is read over the connection
	Statements bool   // pg_stat_statements is read
	AppRole    string // whose requests ask for plans; "" when it is not known
}

// Missing is one thing that is not as the agent needs it.
type Missing struct {
	What string   // a sentence without its end
	SQL  []string // what mends it, in this order; none when no statement does
}

const (
	reload  = "SELECT pg_reload_conf();"
	load    = "LOAD 'auto_explain';" // so that this session knows its parameters
	restart = " (restart PostgreSQL afterwards)"
)

// checker gathers what is missing.
type checker struct {
	db       *DB
	settings map[string]string // those that concern the agent; one that the server does not know is missing
	version  int               // 150020 for 15.20
	missing  []Missing
}

func (c *checker) add(what string, sql ...string) { c.missing = append(c.missing, Missing{what, sql}) }

// Check tells what a server lacks. The error says that it cannot be asked.
func Check(ctx context.Context, db *DB, want Wanted) ([]Missing, error) {
	// auto_explain's setting may stand in postgresql.conf before auto_explain is loaded; pg_settings has it only then.
	r, err := db.query(ctx, `SELECT name, setting FROM pg_settings WHERE name = ANY ($1)
		UNION ALL SELECT 'auto_explain.log_format', current_setting('auto_explain.log_format', true)`,
		`{server_version_num,shared_preload_libraries,session_preload_libraries,log_destination,logging_collector,log_line_prefix,log_error_verbosity,lc_messages,compute_query_id}`)
	if err != nil {
		return nil, err
	}
	c := checker{db: db, settings: make(map[string]string)}
	for i := range r.rows {
		c.settings[r.text(i, 0)] = r.text(i, 1)
	}
	if _, visible := c.settings["shared_preload_libraries"]; !visible {
		role := identifier(db.User())
		c.add("the agent's role "+role+" may not read all settings", "GRANT pg_monitor TO "+role+";")
		return c.missing, nil
	}
	c.version, _ = strconv.Atoi(c.settings["server_version_num"])
	if c.version < 130000 {
		c.add(fmt.Sprintf("the server's version is %d.%d, and the agent reads those from 13 on", c.version/10000, c.version%10000))
		return c.missing, nil
	}
	c.libraries(want)
	c.log(want)
	if c.settings["auto_explain.log_format"] != "json" {
		c.add("auto_explain.log_format is not json", load, "ALTER SYSTEM SET auto_explain.log_format = 'json';", reload)
	}
	if c.settings["compute_query_id"] == "off" {
		c.add("compute_query_id is off, and without query ids a nested statement may not find its caller", "ALTER SYSTEM SET compute_query_id = 'auto';", reload)
	}
	if language := c.settings["lc_messages"]; language != "" && language != "C" && language != "POSIX" && !strings.HasPrefix(language, "en") && !strings.HasPrefix(language, "C.") {
		c.add("lc_messages is "+language+", and the agent reads English", "ALTER SYSTEM SET lc_messages = 'C';", reload)
	}
	for _, check := range []func(context.Context, Wanted) error{c.statements, c.role, c.appRole} {
		if err := check(ctx, want); err != nil {
			return nil, err
		}
	}
	return c.missing, nil
}

// names splits a list of libraries.
func names(list string) (all []string) {
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.Trim(name, ` "`); name != "" {
			all = append(all, strings.TrimPrefix(name, "$libdir/"))
		}
	}
	return all
}

func (c *checker) isLoaded(library string) bool {
	return slices.Contains(names(c.settings["shared_preload_libraries"]), library) ||
		library == "auto_explain" && slices.Contains(names(c.settings["session_preload_libraries"]), library)
}

// libraries looks for what is loaded at the server's start. Each statement names all that are needed, so that the last
// that is run is as good as the first.
func (c *checker) libraries(want Wanted) {
	need := []string{"auto_explain"}
	if want.Statements {
		need = append(need, "pg_stat_statements")
	}
	all := names(c.settings["shared_preload_libraries"])
	for _, library := range need {
		if !c.isLoaded(library) {
			all = append(all, library)
		}
	}
	for i, name := range all {
		all[i] = literal(name)
	}
	for _, library := range need {
		if !c.isLoaded(library) {
			c.add(library+" is not loaded"+restart, "ALTER SYSTEM SET shared_preload_libraries = "+strings.Join(all, ", ")+";")
		}
	}
}

// log looks for a log that the agent can read.
func (c *checker) log(want Wanted) {
	written := names(c.settings["log_destination"])
	collects := c.settings["logging_collector"] == "on"
	has := func(format string) bool { return slices.Contains(written, format) && (collects || format == "stderr") }
	best := "jsonlog"
	if c.version < 150000 {
		best = "csvlog"
	}
	format := want.Format
	if format == "auto" {
		format = best
		for _, f := range []string{"jsonlog", "csvlog"} {
			if has(f) {
				return
			}
		}
		if has("stderr") && c.settings["log_line_prefix"] == want.Prefix {
			format = "stderr"
		}
	}
	if format == "jsonlog" && c.version < 150000 {
		c.add("jsonlog is new in PostgreSQL 15: take csvlog, or stderr")
		return
	}
	if !collects && format != "stderr" {
		c.add("logging_collector is off, and without it there is no "+format+restart, "ALTER SYSTEM SET logging_collector = on;")
	}
	if !slices.Contains(written, format) {
		c.add("log_destination has no "+format, "ALTER SYSTEM SET log_destination = "+literal(strings.Join(append(written, format), ","))+";", reload)
	}
	if prefix := c.settings["log_line_prefix"]; format == "stderr" && prefix != want.Prefix {
		c.add(fmt.Sprintf("log_line_prefix is %q, and the agent is told to read %q (--log-line-prefix)", prefix, want.Prefix), "ALTER SYSTEM SET log_line_prefix = "+literal(want.Prefix)+";", reload)
	}
	if format == "stderr" && c.settings["log_error_verbosity"] == "terse" {
		c.add("log_error_verbosity is terse, and so stderr does not tell nested statements from others", "ALTER SYSTEM SET log_error_verbosity = 'default';", reload)
	}
}

// statements looks for the extension in this database.
func (c *checker) statements(ctx context.Context, want Wanted) error {
	if !want.Statements {
		return nil
	}
	r, err := c.db.query(ctx, `SELECT FROM pg_extension WHERE extname = 'pg_stat_statements'`)
	if err == nil && len(r.rows) == 0 {
		c.add("the extension pg_stat_statements is not in this database", "CREATE EXTENSION pg_stat_statements;")
	}
	return err
}

// role looks at what the agent's own role may do.
func (c *checker) role(ctx context.Context, want Wanted) error {
	r, err := c.db.query(ctx, `SELECT quote_ident(current_user), pg_has_role(current_user, 'pg_monitor', 'USAGE'),
		has_function_privilege(current_user, 'pg_read_file(text, bigint, bigint)', 'EXECUTE')`)
	if err != nil {
		return err
	}
	if r.text(0, 1) == "f" && (want.Statements || want.OverSQL) {
		c.add("the agent's role "+r.text(0, 0)+" may not read all statistics", "GRANT pg_monitor TO "+r.text(0, 0)+";")
	}
	if r.text(0, 2) == "f" && want.OverSQL {
		c.add("the agent's role "+r.text(0, 0)+" may not read the log", "GRANT EXECUTE ON FUNCTION pg_read_file(text, bigint, bigint) TO "+r.text(0, 0)+";")
	}
	return nil
}

// appRole looks at what the application's role may do.
func (c *checker) appRole(ctx context.Context, want Wanted) error {
	if want.AppRole == "" {
		return nil
	}
	r, err := c.db.query(ctx, `SELECT quote_ident(rolname) FROM pg_roles WHERE rolname = $1`, want.AppRole)
	switch {
	case err != nil:
		return err
	case len(r.rows) == 0:
		c.add("there is no role " + want.AppRole + " (--app-role)")
		return nil
	case c.version < 150000:
		c.add("before PostgreSQL 15 no role can be allowed to ask for plans: set auto_explain.log_min_duration to a threshold")
		return nil
	}
	role := r.text(0, 0)
	r, err = c.db.query(ctx, `SELECT has_parameter_privilege($1::name, 'auto_explain.log_min_duration', 'SET')`, want.AppRole)
	if err == nil && r.text(0, 0) == "f" {
		c.add("the role "+role+" may not ask for plans", "GRANT SET ON PARAMETER auto_explain.log_min_duration TO "+role+";")
	}
	return err
}

// literal writes a string of SQL.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// identifier writes a name of SQL.
func identifier(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
