package phpagent

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/postgrestest"
)

// postgres is a server whose auto_explain logs nothing of itself.
type postgres struct{ *postgrestest.Server }

// The role app may ask for plans, the role poor may not.
const shopSQL = `
CREATE TABLE products AS SELECT id, id % 3 AS category, 'Product ' || id AS name FROM generate_series(1, 9) AS id;
CREATE TABLE parents (id int PRIMARY KEY);
CREATE TABLE children (parent int REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
CREATE FUNCTION stock(product int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT sum(n) FROM generate_series(1, product) AS n); END $$;
CREATE ROLE app LOGIN;
CREATE ROLE poor LOGIN;
GRANT SET ON PARAMETER auto_explain.log_min_duration TO app;
GRANT ALL ON ALL TABLES IN SCHEMA public TO app, poor;
GRANT CREATE ON SCHEMA public TO app, poor;`

func startPostgres(t testing.TB) *postgres {
	t.Helper()
	server := postgrestest.Start(t, "")
	server.SQL(t, shopSQL)
	return &postgres{server}
}

// startPgBouncer puts PgBouncer before it. It returns the folder of its socket.
func (pg *postgres) startPgBouncer(t testing.TB) string { return pg.PgBouncer(t, "app", "poor") }

func canDial(network, address string) bool {
	conn, err := net.Dial(network, address)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// logged is a statement whose plan Postgres has logged.
type logged struct {
	ID      string // of the comment in front
	Flag    string
	Query   string
	AppName string
	Nested  bool
}

var comment = regexp.MustCompile(`^(?:DECLARE \w+ SCROLL CURSOR WITH HOLD FOR )?/\*traceparent='00-([0-9a-f]{32})-[0-9a-f]{16}-(0[01])'\*/ `)

// plans returns what was logged up to now: the collector writes behind the statements, in their order.
func (pg *postgres) plans(t testing.TB) (out []logged) {
	t.Helper()
	lines := bufio.NewScanner(bytes.NewReader(pg.Log(t)))
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var entry struct {
			Message, Context string
			Name             string `json:"application_name"`
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &entry))
		_, plan, ok := strings.Cut(entry.Message, " plan:\n")
		if !ok {
			continue
		}
		var p struct {
			Query string `json:"Query Text"`
		}
		require.NoError(t, json.Unmarshal([]byte(plan), &p))
		l := logged{Query: p.Query, AppName: entry.Name, Nested: entry.Context != ""}
		if m := comment.FindStringSubmatch(p.Query); m != nil {
			l.ID, l.Flag, l.Query = dashed(m[1]), m[2], strings.TrimPrefix(p.Query, m[0])
		}
		out = append(out, l)
	}
	return out
}

func dashed(hex string) string {
	return strings.Join([]string{hex[:8], hex[8:12], hex[12:16], hex[16:20], hex[20:]}, "-")
}
