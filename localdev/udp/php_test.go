package udp

import (
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/shared/auth"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

// TestPHP runs the README's example with real PHP, every warning of which would be printed.
func TestPHP(t *testing.T) {
	if out, err := exec.Command("php", "--version").CombinedOutput(); err != nil {
		message := "needs PHP, run: sudo bash testdata/tools/install.sh php (" + err.Error() + string(out) + ")"
		if os.Getenv("CI") == "true" {
			t.Fatal(message)
		}
		t.Skip(message)
	}
	db, path := sqlitetest.New(t)
	cfg := config(db)
	cfg.Keys = []auth.Key{{Project: "shop", Secret: newKey}}
	became := watched(&cfg)
	client, _ := start(t, cfg)

	runPHP(t, client.RemoteAddr().String(), "../../testdata/agents/datagram.php")
	became.requireAll(t, 1)
	require.Empty(t, became.dropped)
	require.Equal(t, [][]string{{"php_agent", "shop", "/cart", `{"main()==>Cart::total":{"ct":1,"wt":9120}}`}},
		sqlitetest.Query(t, path, "SELECT source, project, name, payload FROM profiling_data"))

	// A real profile is one datagram too, and the largest one fits.
	const more = `require '../../testdata/agents/datagram.php';
		set_error_handler(fn(int $level, string $message) => throw new ErrorException($message)); // as some frameworks do
		$record = fn(string $text) => ['project' => 'shop', 'correlation_id' => bin2hex(random_bytes(16)), 'timestamp' => microtime(true),
			'duration_ms' => null, 'request_uri' => '/long', 'profiling_data' => ['text' => $text]];
		$send = fn(string $text) => sendRecord(getenv('BITVILLE_UDP'), 'shop', getenv('BITVILLE_KEY'), $record($text));
		$send(base64_encode(random_bytes(60000)));
		$send(base64_encode(random_bytes(70000)));  // too long
		$send("\xff");                              // not UTF-8
		sendRecord('nowhere', 'shop', 'key', $record(''));
		sendRecord('256.0.0.1:1', 'shop', 'key', $record(''));`
	runPHP(t, client.RemoteAddr().String(), "-r", more)
	became.requireAll(t, 3)
	require.Empty(t, became.dropped)
	rows := sqlitetest.Query(t, path, "SELECT name, correlation_id FROM profiling_data ORDER BY name")
	require.Len(t, rows, 3)
	require.Equal(t, "/long", rows[2][0])
	long, err := db.ByCorrelationID(t.Context(), rows[2][1])
	require.NoError(t, err)
	var payload struct{ Text string }
	require.NoError(t, json.Unmarshal([]byte(long[0].Payload), &payload))
	require.Equal(t, 80000, len(payload.Text))

	nobody, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, nobody.Close())
	runPHP(t, nobody.LocalAddr().String(), "../../testdata/agents/datagram.php")
}

// runPHP requires that the page ends well and that nothing is printed into it.
func runPHP(t *testing.T, address string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "php", append([]string{"-d", "display_errors=1", "-d", "error_reporting=-1"}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "BITVILLE_UDP=" + address, "BITVILLE_KEY=" + newKey}
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Empty(t, string(out))
}
