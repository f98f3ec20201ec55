package phpagent

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
	"github.com/bitville/listener/localdev/postgrestest"
)

// site is php-fpm behind nginx, with the agent as auto_prepend_file unless it is bare.
type site struct {
	code    string
	workers int // 1 when it is 0
	bare    bool
	ini     []string          // as name=value
	env     map[string]string // as fastcgi_param, added to those that make the agent send everything

	url string
	dir string
}

func (s *site) start(t testing.TB) *site {
	t.Helper()
	s.dir = postgrestest.Dir(t)
	s.setPage(t, s.code)
	var pool strings.Builder
	fmt.Fprintf(&pool, "[global]\nerror_log = %[1]s/fpm.log\ndaemonize = no\n[www]\nlisten = %[1]s/fpm.sock\nlisten.mode = 0666\npm = static\npm.max_children = %[2]d\n"+
		"catch_workers_output = yes\nphp_value[display_errors] = 1\nphp_admin_value[error_reporting] = -1\nphp_admin_value[session.save_path] = %[1]s\n", s.dir, max(1, s.workers))
	if os.Geteuid() == 0 {
		pool.WriteString("user = root\n")
	}
	if !s.bare {
		fmt.Fprintf(&pool, "php_admin_value[auto_prepend_file] = %s\n", mustAbs(t, agent))
	}
	for _, setting := range s.ini {
		name, value, _ := strings.Cut(setting, "=")
		fmt.Fprintf(&pool, "php_admin_value[%s] = \"%s\"\n", name, value)
	}
	require.NoError(t, os.WriteFile(s.dir+"/fpm.conf", []byte(pool.String()), 0o600))

	env := map[string]string{
		"BITVILLE_PROJECT": "shop", "BITVILLE_API_KEY": listenertest.Key, "BITVILLE_SAMPLE_RATE": "1",
		"SCRIPT_FILENAME": s.dir + "/page.php", "REQUEST_METHOD": "$request_method", "REQUEST_URI": "$request_uri",
		"QUERY_STRING": "$query_string", "CONTENT_TYPE": "$content_type", "CONTENT_LENGTH": "$content_length", "SERVER_PROTOCOL": "$server_protocol",
	}
	maps.Copy(env, s.env)
	var params strings.Builder
	for _, name := range slices.Sorted(maps.Keys(env)) {
		fmt.Fprintf(&params, "fastcgi_param %s \"%s\";\n", name, env[name])
	}
	port := freeTCP(t)
	s.url = "http://" + port
	require.NoError(t, os.WriteFile(s.dir+"/nginx.conf", fmt.Appendf(nil, `
daemon off;
worker_processes 1;
pid %[1]s/nginx.pid;
error_log %[1]s/nginx.log;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/body; fastcgi_temp_path %[1]s/fastcgi; proxy_temp_path %[1]s/proxy; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	server { listen %[2]s; location / { fastcgi_pass unix:%[1]s/fpm.sock; %[3]s } }
}`, s.dir, port, params.String()), 0o600))
	postgrestest.RunAsRoot(t, s.dir, syscall.SIGTERM, exec.Command("/usr/sbin/php-fpm8.2", "-R", "-F", "-y", s.dir+"/fpm.conf"))
	postgrestest.RunAsRoot(t, s.dir, syscall.SIGTERM, exec.Command("/usr/sbin/nginx", "-e", s.dir+"/nginx.log", "-c", s.dir+"/nginx.conf"))
	postgrestest.Await(t, s.dir, func() bool { return canDial("tcp", port) && canDial("unix", s.dir+"/fpm.sock") })
	return s
}

// setPage changes the page. FPM sees it at once, since opcache trusts no file for longer than its stamp.
func (s *site) setPage(t testing.TB, code string) {
	t.Helper()
	file := filepath.Join(s.dir, "page.php")
	require.NoError(t, os.WriteFile(file, []byte("<?php\n"+code), 0o600))
}

func freeTCP(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

type page struct {
	status int
	header http.Header
	body   string
}

var visitor = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// get asks for a page. headers are name, value, name, value.
func (s *site) get(t testing.TB, path string, headers ...string) page {
	t.Helper()
	req, err := http.NewRequest("GET", s.url+path, nil)
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := visitor.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return page{resp.StatusCode, resp.Header, string(body)}
}

// requireNoCrash holds the log of FPM against a worker that has ended by a signal.
func (s *site) requireNoCrash(t testing.TB) {
	t.Helper()
	log, err := os.ReadFile(s.dir + "/fpm.log")
	require.NoError(t, err)
	require.NotContains(t, string(log), "exited on signal")
	require.NotContains(t, string(log), "bitville")
}
