package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
	"github.com/bitville/listener/shared/store/libsql/libsqltest"
	"github.com/bitville/listener/shared/store/sqlite/sqlitetest"
)

// datagram signs a record as an agent does.
func datagram(source, key, record string) string {
	line := fmt.Sprintf("bv1 %s shop %d ", source, time.Now().Unix())
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(line + record))
	return fmt.Sprintf("%s%x\n%s", line, mac.Sum(nil), record)
}

// Datagrams are stored, forged ones are not, and the metrics say how many; what has arrived when SIGTERM does is
// stored too.
func TestDatagrams(t *testing.T) {
	l := startListener(t, "BITVILLE_UDP_ADDR=127.0.0.1:0", "BITVILLE_METRICS_ADDR=127.0.0.1:0")
	var taking struct{ Addr string }
	require.True(t, l.Log.Find("taking datagrams", &taking))
	conn, err := net.Dial("udp", taking.Addr)
	require.NoError(t, err)
	defer conn.Close()
	send := func(text string) {
		_, err := conn.Write([]byte(text))
		require.NoError(t, err)
	}
	postgres := strings.Replace(phpRecord(2), `"request_uri"`, `"query"`, 1)
	send(datagram("php", listenertest.Key, phpRecord(1)))
	send(datagram("php", listenertest.Key, phpRecord(1)))
	send(datagram("postgres", listenertest.Key, postgres))
	send(datagram("php", "another key", phpRecord(3)))
	send(datagram("php", listenertest.Key, "{}"))
	send("nonsense")
	for _, line := range []string{
		`bitville_udp_dropped_total{reason="bad_mac"} 1`,
		`bitville_udp_dropped_total{reason="invalid"} 1`,
		`bitville_udp_dropped_total{reason="malformed"} 1`,
		`bitville_udp_dropped_total{reason="kernel"} 0`,
		`bitville_udp_accepted_total 3`,
		`bitville_store_queued_requests 0`,
	} {
		require.Eventually(t, func() bool { return strings.Contains(l.scrape(t), line+"\n") }, 10*time.Second, 10*time.Millisecond, "%s", line)
	}
	require.Equal(t, [][]string{{"php_agent", "1"}, {"postgres_agent", "1"}}, sqlitetest.Query(t, l.DBPath, "SELECT source, count(*) FROM profiling_data GROUP BY 1 ORDER BY 1"))
	for n := range 200 {
		send(datagram("php", listenertest.Key, phpRecord(100+n)))
	}
	require.NoError(t, l.Stop(syscall.SIGTERM))
	require.Equal(t, [][]string{{"202"}}, sqlitetest.Query(t, l.DBPath, "SELECT count(*) FROM profiling_data"))
}

// The metrics say what the answers and the log say, and nothing is listening for them when they are off.
func TestMetrics(t *testing.T) {
	l := startListener(t, "BITVILLE_METRICS_ADDR=127.0.0.1:0")
	status, _ := l.Post(strings.NewReader("[" + phpRecord(1) + "," + phpRecord(1) + `,{"project":"shop"}]`))
	require.Equal(t, 200, status)
	l.Key = "wrong"
	status, _ = l.Post(strings.NewReader(phpRecord(2)))
	require.Equal(t, 401, status)
	l.Key = listenertest.Key
	for _, line := range []string{
		`bitville_records_accepted_total{project="shop",source="php_agent"} 1`,
		`bitville_records_duplicate_total{project="shop",source="php_agent"} 1`,
		`bitville_records_rejected_total{project="shop",reason="correlation_id",source="php_agent"} 1`,
		`bitville_http_requests_total{route="/ingest/php",status="200"} 1`,
		`bitville_http_requests_total{route="/ingest/php",status="401"} 1`,
		`bitville_ready 1`,
	} {
		require.Eventually(t, func() bool { return strings.Contains(l.scrape(t), line+"\n") }, 10*time.Second, 10*time.Millisecond, "%s", line)
	}
	metrics := l.scrape(t)
	for _, name := range []string{"bitville_certificate_expiry_timestamp_seconds", "bitville_purge_last_success_timestamp_seconds"} {
		require.True(t, strings.Contains(metrics, "\n"+name+" "), name)
	}
	require.False(t, strings.Contains(metrics, l.Key))
	require.NoError(t, l.Stop(syscall.SIGTERM))
	l.Start(t)
	require.NotContains(t, l.Log.String(), "serving metrics")
}

// `listener check` tells what would keep the listener from starting, and makes nothing.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	db := filepath.Join(dir, "bitville.db")
	run := func(env ...string) string {
		out, err := command(t, append([]string{"BITVILLE_API_KEY_SHOP=" + listenertest.Key, "BITVILLE_DB_PATH=" + db}, env...), "check")
		if err == nil {
			require.Equal(t, "all is right\n", out)
			return ""
		}
		return out
	}
	require.Empty(t, run())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries, "nothing was made")
	require.Contains(t, run("BITVILLE_RETENTION=soon", "BITVILLE_RETENTON=1h"), "BITVILLE_RETENTION is \"soon\"")
	require.Contains(t, run("BITVILLE_RETENTION=soon", "BITVILLE_RETENTON=1h"), "did you mean BITVILLE_RETENTION?")
	require.Contains(t, run("BITVILLE_TLS_CERT_PATH=/none", "BITVILLE_TLS_KEY_PATH=/none"), "load the certificate (BITVILLE_TLS_CERT_PATH, BITVILLE_TLS_KEY_PATH)")
	require.Contains(t, run("BITVILLE_DB_PATH="+filepath.Join(dir, "none", "db")), "BITVILLE_DB_PATH")
	require.Contains(t, run("BITVILLE_DB_PATH=", "BITVILLE_DB_URL=http://127.0.0.1:9"), "ask the database server (BITVILLE_DB_URL): ")
	require.Empty(t, run("BITVILLE_DB_PATH=", "BITVILLE_DB_URL="+libsqltest.Start(t).URL))
	require.NoError(t, os.WriteFile(db, []byte("no database"), 0o600))
	require.Contains(t, run(), "the file is not a database")
	out, err := command(t, []string{"BITVILLE_API_KEY_SHOP=" + listenertest.Key, "BITVILLE_DB_PATH=" + filepath.Join(dir, "new.db")}, "-check")
	require.NoError(t, err)
	require.Equal(t, "all is right\n", out)
}
