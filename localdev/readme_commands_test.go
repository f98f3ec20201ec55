package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/bitville/listener/localdev/listenertest"
)

// commandPages are the pages whose commands the test runs, in this order. The commands of other pages need a service, AWS
// or root.
var commandPages = []string{"README.md", "testdata/payloads/README.md", "infra/agents.md", "infra/importers.md", "infra/operate.md"}

// block is a fenced block of a page. Its kind is "sh" for one that runs to its end, "sh stays" for one that runs until the
// next such block, and "sh needs X" for one that is skipped where the program X is missing. A text block right after it is
// what it prints; … stands for anything.
type block struct {
	kind, text string
	prints     string // "" when the page does not say
}

var fences = regexp.MustCompile("(?ms)^```(\\w[\\w ]*)\n(.*?)^```$(?:\n\n```text\n(.*?)^```$)?")

func blocks(page string) (all []block) {
	for _, found := range fences.FindAllStringSubmatch(page, -1) {
		all = append(all, block{found[1], found[2], found[3]})
	}
	return all
}

// prints returns the pattern of what a block prints.
func prints(text string) string {
	return "^" + strings.ReplaceAll(regexp.QuoteMeta(text), "…", "(?s:.*?)") + "$"
}

func TestBlocks(t *testing.T) {
	require.Equal(t, []block{
		{"sh", "a\n\nb\n", ""}, {"sh needs php", "c\n", "d…\n"}, {"text", "e\n", ""}, {"sh stays", "f\n", ""},
	}, blocks("x\n```sh\na\n\nb\n```\ny\n```sh needs php\nc\n```\n\n```text\nd…\n```\n\nz\n\n```text\ne\n```\n```sh stays\nf\n```\n"))
}

// clone copies what git has or would add into a repository of its own.
func clone(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	const script = `cd "$0" && git ls-files -z --cached --others --exclude-standard | tar --null --ignore-failed-read -cf - -T - | tar -xf - -C "$1"`
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	out, err := exec.Command("bash", "-c", script, root, dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	out, err = exec.Command("bash", "-c", `cd "$0" && git init -q && git add -A && git -c user.name=a -c user.email=a@example.com commit -qm all`, dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return dir
}

// TestREADMECommands does what a newcomer does: it runs every command of the pages, in order and as it stands, in a fresh
// clone. Only the port is another. Git ignores all that the commands make.
func TestREADMECommands(t *testing.T) {
	for _, program := range []string{"git", "make", "curl", "sqlite3"} {
		if _, err := exec.LookPath(program); err != nil {
			require.NotEqual(t, "true", os.Getenv("CI"), "needs %s", program)
			t.Skipf("needs %s", program)
		}
	}
	dir := clone(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := strconv.Itoa(free.Addr().(*net.TCPAddr).Port)
	require.NoError(t, free.Close())
	env := []string{"BITVILLE_LISTEN_ADDR=127.0.0.1:" + port}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "BITVILLE_") && !strings.HasPrefix(v, "MAKE") && !strings.HasPrefix(v, "MFLAGS") {
			env = append(env, v)
		}
	}
	bash := func(script string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), "bash", "-e", "-o", "pipefail", "-c", strings.ReplaceAll(script, "8443", port))
		cmd.Dir, cmd.Env = dir, env
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		return cmd
	}
	stop := func() {}
	defer func() { stop() }()
	stay := func(b block) {
		stop() // as Ctrl-C does
		cmd, out := bash(b.text), &listenertest.Log{}
		cmd.Stdout, cmd.Stderr = out, out
		require.NoError(t, cmd.Start())
		stop = func() {
			_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
			_ = cmd.Wait()
		}
		require.Eventually(t, func() bool { return strings.Contains(out.String(), "The listener runs.") }, 5*time.Minute, 20*time.Millisecond, "%s\n%s", b.text, out)
		if b.prints != "" {
			printed := regexp.MustCompile(prints(strings.ReplaceAll(b.prints, "8443", port)))
			require.Eventually(t, func() bool { return printed.MatchString(out.String()) }, 10*time.Second, 20*time.Millisecond, "%s\n%s", b.text, out)
		}
	}

	ran := 0
	for _, page := range commandPages {
		text, err := os.ReadFile(filepath.Join(dir, page))
		require.NoError(t, err)
		for _, b := range blocks(string(text)) {
			kind, what, _ := strings.Cut(b.kind, " ")
			if kind != "sh" {
				continue
			}
			if program, ok := strings.CutPrefix(what, "needs "); ok {
				what = ""
				if _, err := exec.LookPath(program); err != nil {
					continue
				}
			}
			ran++
			if what == "stays" {
				stay(b)
				continue
			}
			require.Empty(t, what, "%s: a block may be sh, sh stays, sh needs X", page)
			var stderr bytes.Buffer
			cmd := bash(b.text)
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			require.NoError(t, err, "%s: %s\n%s%s", page, b.text, out, stderr.String())
			require.NotContains(t, string(out), `{"error":`, "%s: %s", page, b.text)
			if b.prints != "" {
				require.Regexp(t, prints(b.prints), string(out), "%s: %s", page, b.text)
			}
		}
	}
	require.Greater(t, ran, 5, "the pages have commands")
	stop()
	stop = func() {}
	status, err := exec.Command("git", "-C", dir, "status", "--porcelain").CombinedOutput()
	require.NoError(t, err, "%s", status)
	require.Empty(t, string(status), "a page's commands make what git does not ignore")
}
