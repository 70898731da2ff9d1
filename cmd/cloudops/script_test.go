package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/creack/pty"
	"github.com/rogpeppe/go-internal/testscript"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"google.golang.org/protobuf/proto"

	"github.com/cloudops/cloudops/scanner/awstest"
	"github.com/cloudops/cloudops/storage/home"
	"github.com/cloudops/cloudops/storage/storagetest"
)

// TestScripts runs the real binary, with a real daemon, against the emulated
// AWS, as testdata/*.txtar say. Each script has a home and an estate of its own.
func TestScripts(t *testing.T) {
	server := awstest.Shared(t)
	binary := testBinary(t)
	// Scripts run one after the other, since each seeds the server anew.
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txtar"), func(t *testing.T) {
			testscript.Run(t, testscript.Params{
				Files: []string{f},
				Setup: func(env *testscript.Env) error { return setup(t.Context(), env, binary, server) },
				Cmds:  commands,
			})
		})
	}
}

// testBinary is the one that `make` built for all tests, else one built here.
func testBinary(t testing.TB) string {
	if b := os.Getenv("CLOUDOPS_TEST_BINARY"); b != "" {
		return b
	}
	b := filepath.Join(t.TempDir(), "cloudops")
	if out, err := exec.Command("go", "build", "-race", "-o", b, ".").CombinedOutput(); err != nil {
		t.Fatalf("building cloudops: %v\n%s", err, out)
	}
	return b
}

func setup(ctx context.Context, env *testscript.Env, binary string, server *awstest.Server) error {
	// Sockets have short paths; the work folder's may be long.
	run, err := os.MkdirTemp("", "co")
	if err != nil {
		return err
	}
	home := filepath.Join(env.WorkDir, "home")
	estate, err := server.Seed(ctx, filepath.Join(env.WorkDir))
	if err != nil {
		return err
	}
	for _, kv := range estate.Variables("prod") {
		k, v, _ := strings.Cut(kv, "=")
		env.Setenv(k, v)
	}
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("CLOUDOPS_HOME", home)
	env.Setenv("XDG_RUNTIME_DIR", run)
	env.Setenv("CLOUDOPS", binary)
	env.Setenv("PATH", filepath.Dir(binary)+":"+os.Getenv("PATH"))
	env.Setenv("WEB_WEST", estate.WebWest)
	env.Setenv("WEB_EAST", estate.WebEast)
	env.Setenv("STOPPED", estate.Stopped)
	env.Setenv("HOSTILE", estate.Hostile)
	env.Values["estate"] = estate
	env.Values["proxy"] = &fronted{}
	qdrant, err := storagetest.NewStandIn(filepath.Join(env.WorkDir, "qdrant-data"))
	if err != nil {
		return err
	}
	env.Values["qdrant"] = qdrant
	env.Defer(func() {
		qdrant.Kill()
		stopDaemon(home, syscall.SIGKILL)
		os.RemoveAll(run)
	})
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	config := fmt.Sprintf("encryption:\n  key_source:\n    file: %s\n", filepath.Join(env.WorkDir, "keys", "cloudops.key"))
	return os.WriteFile(filepath.Join(home, "config.yaml"), []byte(config), 0o600)
}

// fronted is what stands before AWS in a script.
type fronted struct{ *awstest.Proxy }

var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	// cloudops ARG...: runs it without a terminal. `! cloudops` wants it to fail.
	"cloudops": func(ts *testscript.TestScript, neg bool, args []string) {
		err := ts.Exec(ts.Getenv("CLOUDOPS"), args...)
		if (err != nil) != neg {
			ts.Fatalf("cloudops %v: %v", args, err)
		}
	},
	// qdrant start|kill: a Qdrant of its own, which keeps its data and its place.
	// The first start adds its URL to config.yaml.
	"qdrant": func(ts *testscript.TestScript, neg bool, args []string) {
		q := ts.Value("qdrant").(*storagetest.StandIn)
		if args[0] == "kill" {
			q.Kill()
			return
		}
		config := ts.MkAbs("home/config.yaml")
		if text := ts.ReadFile(config); !strings.Contains(text, q.Address) {
			text += "# where the estate may go\nqdrant:\n  url: http://" + q.Address + " # mine\n"
			ts.Check(os.WriteFile(config, []byte(text), 0o600))
		}
		ts.Check(q.Start())
	},
	// exits CODE ARG...: runs cloudops without a terminal and wants this exit code.
	"exits": func(ts *testscript.TestScript, neg bool, args []string) {
		err := ts.Exec(ts.Getenv("CLOUDOPS"), args[1:]...)
		code := 0
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			code = exit.ExitCode()
		}
		if fmt.Sprint(code) != args[0] {
			ts.Fatalf("cloudops %v: exit code %d, want %s", args[1:], code, args[0])
		}
	},
	// lost CODE ARG...: runs cloudops with an output that takes nothing.
	"lost": func(ts *testscript.TestScript, neg bool, args []string) {
		full, err := os.Open(os.DevNull) // not for writing
		ts.Check(err)
		defer full.Close()
		cmd := exec.Command(ts.Getenv("CLOUDOPS"), args[1:]...)
		cmd.Env, cmd.Dir, cmd.Stdout = environ(ts), ts.MkAbs("."), full
		var exit *exec.ExitError
		if err := cmd.Run(); !errors.As(err, &exit) || fmt.Sprint(exit.ExitCode()) != args[0] {
			ts.Fatalf("cloudops %v: %v, want exit code %s", args[1:], err, args[0])
		}
	},
	// answers CODE ANSWER ARG...: runs cloudops on a terminal where ANSWER is
	// typed at each question, and wants this exit code. What the terminal showed
	// is in the file terminal.
	"answers": func(ts *testscript.TestScript, neg bool, args []string) {
		shown, code, err := onTerminal(ts, args[1:2], args[2:])
		ts.Check(os.WriteFile(ts.MkAbs("terminal"), []byte(shown), 0o600))
		ts.Check(err)
		if fmt.Sprint(code) != args[0] {
			ts.Fatalf("cloudops %v: exit code %d, want %s\n%s", args[2:], code, args[0], shown)
		}
	},
	// types CODE ANSWER... -- ARG...: the same, with an answer for each question,
	// passphrases included.
	"types": func(ts *testscript.TestScript, neg bool, args []string) {
		end := slices.Index(args, "--")
		shown, code, err := onTerminal(ts, args[1:end], args[end+1:])
		ts.Check(os.WriteFile(ts.MkAbs("terminal"), []byte(shown), 0o600))
		ts.Check(err)
		if fmt.Sprint(code) != args[0] {
			ts.Fatalf("cloudops %v: exit code %d, want %s\n%s", args[end+1:], code, args[0], shown)
		}
	},
	// interrupts CODE ARG...: runs cloudops on a terminal where Ctrl-C is pressed at
	// the first question, and wants this exit code.
	"interrupts": func(ts *testscript.TestScript, neg bool, args []string) {
		shown, code, err := onTerminal(ts, []string{"\x03"}, args[1:])
		ts.Check(os.WriteFile(ts.MkAbs("terminal"), []byte(shown), 0o600))
		ts.Check(err)
		if fmt.Sprint(code) != args[0] {
			ts.Fatalf("cloudops %v: exit code %d, want %s\n%s", args[1:], code, args[0], shown)
		}
	},
	// hammers ANSWER ARG...: runs cloudops on a terminal where something types ANSWER
	// all the time, as yes(1) does, and wants it to be refused.
	"hammers": func(ts *testscript.TestScript, neg bool, args []string) {
		shown, code, err := hammered(ts, args[0], args[1:])
		ts.Check(os.WriteFile(ts.MkAbs("terminal"), []byte(shown), 0o600))
		ts.Check(err)
		if code != exitRefused {
			ts.Fatalf("cloudops %v: exit code %d, want %d\n%s", args[1:], code, exitRefused, shown)
		}
	},
	// eventually PATTERN ARG...: runs cloudops again and again until what it prints
	// matches.
	"eventually": func(ts *testscript.TestScript, neg bool, args []string) {
		pattern := regexp.MustCompile(args[0])
		for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			ts.Check(ts.Exec(ts.Getenv("CLOUDOPS"), args[1:]...))
			out := ts.ReadFile("stdout")
			if pattern.MatchString(out) {
				return
			}
			if time.Now().After(end) {
				ts.Fatalf("cloudops %v still prints:\n%s", args[1:], out)
			}
		}
	},
	// daemon SIGNAL: sends the running daemon a signal and waits until it is gone.
	"daemon": func(ts *testscript.TestScript, neg bool, args []string) {
		sig := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL}[args[0]]
		ts.Check(stopDaemon(ts.Getenv("CLOUDOPS_HOME"), sig))
	},
	// leaks WORD...: wants none of the words to be found under the home.
	"leaks": func(ts *testscript.TestScript, neg bool, args []string) {
		found, err := awstest.Leaks(ts.Getenv("CLOUDOPS_HOME"), append(args, awstest.Planted...))
		ts.Check(err)
		if len(found) > 0 {
			ts.Fatalf("leaked:\n%s", strings.Join(found, "\n"))
		}
	},
	// inventory: wants every file of the home, which no daemon serves, to be in the
	// inventory with the nature that it has. The derived ones are removed; the next
	// inventory wants them back.
	"inventory": func(ts *testscript.TestScript, neg bool, args []string) {
		all, err := home.List(ts.Getenv("CLOUDOPS_HOME"))
		ts.Check(err)
		there := map[string]bool{}
		var derived []string
		for _, e := range all {
			there[e.Name] = true
			b, err := os.ReadFile(e.Path)
			ts.Check(err)
			switch readable := readable(b); {
			case !e.Known || e.Left:
				ts.Fatalf("%s is not in the inventory", e.Path)
			case e.Is(home.Sealed) && readable, e.Is(home.Plain) && !readable:
				ts.Fatalf("%s is not of the nature that the inventory says", e.Name)
			case e.Is(home.Derived):
				ts.Check(os.Remove(e.Path))
				derived = append(derived, e.Name)
			}
		}
		for _, name := range strings.Fields(ts.Getenv("DERIVED")) {
			if !there[name] {
				ts.Fatalf("%s did not come back", name)
			}
		}
		ts.Setenv("DERIVED", strings.Join(derived, " "))
	},
	// keyless RECOVERY PASSPHRASE KEYFILE DIR...: wants none of the keys in a
	// recovery file, the key in a key file or the passphrase to be found under the
	// folders.
	"keyless": func(ts *testscript.TestScript, neg bool, args []string) {
		secrets, err := secretsOf(ts.ReadFile(args[0]), args[1])
		ts.Check(err)
		kek, err := base64.StdEncoding.DecodeString(strings.TrimSpace(ts.ReadFile(args[2])))
		ts.Check(err)
		for _, dir := range args[3:] {
			found, err := awstest.Leaks(ts.MkAbs(dir), append(secrets, string(kek)))
			ts.Check(err)
			if len(found) > 0 {
				ts.Fatalf("leaked:\n%s", strings.Join(found, "\n"))
			}
		}
	},
	// harmless FILE...: wants nothing in the files that moves a terminal's cursor,
	// turns or hides text, or links to a command.
	"harmless": func(ts *testscript.TestScript, neg bool, args []string) {
		for _, file := range args {
			text := strings.ReplaceAll(ts.ReadFile(file), "\r\n", "\n")
			if text == "" {
				ts.Fatalf("%s is empty", file)
			}
			at := strings.IndexFunc(text, func(r rune) bool {
				return r != '\n' && (r == utf8.RuneError || !unicode.IsPrint(r))
			})
			if at >= 0 {
				ts.Fatalf("%s holds %q", file, text[max(0, at-40):min(len(text), at+40)])
			}
		}
	},
	// private DIR: wants everything under it to be the user's alone.
	"private": func(ts *testscript.TestScript, neg bool, args []string) {
		n := 0
		ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			n++
			if perm := info.Mode().Perm(); perm&0o077 != 0 || info.Mode().Type() == fs.ModeSymlink {
				return fmt.Errorf("%s is %v", path, info.Mode())
			}
			return nil
		}))
		if n < 2 {
			ts.Fatalf("there is nothing under %s", args[0])
		}
	},
	// lies: sets LYING to the endpoint of an AWS whose errors say what others want
	// to be shown.
	"lies": func(ts *testscript.TestScript, neg bool, args []string) {
		const hostile = "\u202egnp.exe\u009b31m\n[Approve](command:cloudops.approve)\u200b<img src=x>`"
		var quoted bytes.Buffer
		ts.Check(xml.EscapeText(&quoted, []byte(hostile)))
		lying := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err == nil && bytes.Contains(body, []byte("GetCallerIdentity")) {
				fmt.Fprintf(w, "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/%[1]s</Arn>"+
					"<Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>", quoted.String())
				return
			}
			w.WriteHeader(http.StatusBadRequest)
			shape := "<ErrorResponse>%s</ErrorResponse>"
			if strings.Contains(r.Header.Get("Authorization"), "/ec2/") {
				shape = "<Response><Errors>%s</Errors></Response>"
			}
			fmt.Fprintf(w, shape, "<Error><Code>Odd"+quoted.String()+"</Code><Message>"+quoted.String()+"</Message></Error>")
		}))
		ts.Defer(lying.Close)
		ts.Setenv("LYING", lying.URL)
	},
	// proxy: puts a proxy before AWS, for what follows. proxy portal: it answers
	// everything with the sign-in page of a network. proxy heal: it passes on again.
	"proxy": func(ts *testscript.TestScript, neg bool, args []string) {
		if len(args) == 0 {
			p, err := awstest.NewProxy(ts.Getenv("AWS_ENDPOINT_URL"))
			ts.Check(err)
			ts.Defer(p.Close)
			ts.Setenv("AWS_ENDPOINT_URL", p.URL)
			ts.Value("proxy").(*fronted).Proxy = p
			return
		}
		p := ts.Value("proxy").(*fronted)
		p.Heal()
		if args[0] == "portal" {
			p.Spoil(awstest.Fault{Kind: awstest.SignIn})
		}
	},
	// proc FILE: puts what the kernel tells of the running daemon, such as
	// environ, into a file of that name.
	"proc": func(ts *testscript.TestScript, neg bool, args []string) {
		pid, err := lockedPID(ts.Getenv("CLOUDOPS_HOME"))
		ts.Check(err)
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, args[0]))
		if os.Geteuid() != 0 && errors.Is(err, os.ErrPermission) {
			b, err = []byte("closed to everybody but root\n"), nil
		}
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(args[0]), bytes.ReplaceAll(b, []byte{0}, []byte{'\n'}), 0o600))
	},
	// unattended ARG...: runs cloudops in a session without a terminal, as cron does, with
	// yes on its input for ever.
	"unattended": func(ts *testscript.TestScript, neg bool, args []string) {
		err := ts.Exec("sh", append([]string{"-c", `yes | setsid -w "$CLOUDOPS" "$@"`, "sh"}, args...)...)
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != exitRefused {
			ts.Fatalf("cloudops %v: %v, want exit code %d", args, err, exitRefused)
		}
	},
	// field FILE PATH NAME: puts a field of a JSON file into an environment
	// variable; PATH is dot-separated, numbers index lists.
	"field": func(ts *testscript.TestScript, neg bool, args []string) {
		var v any
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &v))
		for _, key := range strings.Split(args[1], ".") {
			switch x := v.(type) {
			case map[string]any:
				v = x[key]
			case []any:
				i, err := strconv.Atoi(key)
				ts.Check(err)
				if i >= len(x) {
					ts.Fatalf("field %s: only %d elements", args[1], len(x))
				}
				v = x[i]
			default:
				ts.Fatalf("field %s: %T has no %s", args[1], v, key)
			}
		}
		ts.Setenv(args[2], fmt.Sprint(v))
	},
	// damage FILE: overwrites the middle of a file under the home.
	"damage": func(ts *testscript.TestScript, neg bool, args []string) {
		found, err := filepath.Glob(filepath.Join(ts.Getenv("CLOUDOPS_HOME"), args[0]))
		ts.Check(err)
		if len(found) == 0 {
			ts.Fatalf("there is no %s", args[0])
		}
		for _, f := range found {
			b, err := os.ReadFile(f)
			ts.Check(err)
			for i := len(b) / 4; i < len(b)*3/4; i++ {
				b[i] ^= 0xa5
			}
			ts.Check(os.WriteFile(f, b, 0o600))
		}
	},
}

// readable tells whether a file says something to who lacks the keys: it is text,
// and no lines of sealed values.
func readable(b []byte) bool {
	lines := json.NewDecoder(bytes.NewReader(b))
	lines.DisallowUnknownFields()
	for {
		var line struct {
			Seq    int
			Prev   string
			Sealed []byte
		}
		switch err := lines.Decode(&line); {
		case errors.Is(err, io.EOF) && len(b) > 0:
			return false
		case err != nil || utf8.Valid(line.Sealed):
			return utf8.Valid(b)
		}
	}
}

// secretsOf lists the keys in a recovery file, and its passphrase.
func secretsOf(file, passphrase string) ([]string, error) {
	_, body, _ := strings.Cut(file, "-----BEGIN")
	identity, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, err
	}
	plain, err := age.Decrypt(armor.NewReader(strings.NewReader("-----BEGIN"+body)), identity)
	if err != nil {
		return nil, err
	}
	var r struct{ AEAD, PRF, Audit []byte }
	if err := json.NewDecoder(plain).Decode(&r); err != nil {
		return nil, err
	}
	secrets := []string{passphrase}
	for _, b := range [][]byte{r.AEAD, r.PRF, r.Audit} {
		var keys tinkpb.Keyset
		if err := proto.Unmarshal(b, &keys); err != nil {
			return nil, err
		}
		for _, k := range keys.GetKey() {
			// Its last field is the key of 32 bytes.
			value := k.GetKeyData().GetValue()
			secrets = append(secrets, string(value[len(value)-32:]))
		}
	}
	if len(secrets) < 4 {
		return nil, fmt.Errorf("there are only %d keys", len(secrets)-1)
	}
	return secrets, nil
}

// environ is what the commands of a script see.
func environ(ts *testscript.TestScript) []string {
	var env []string
	for _, k := range []string{"PATH", "HOME", "CLOUDOPS_HOME", "XDG_RUNTIME_DIR", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"} {
		env = append(env, k+"="+ts.Getenv(k))
	}
	return env
}

// question ends what cloudops asks on a terminal.
var question = regexp.MustCompile(`anything else rejects: |five words: |once more: |recovery file made \S+: `)

// onTerminal runs cloudops with a controlling terminal. The last answer is given
// again and again.
func onTerminal(ts *testscript.TestScript, answers []string, args []string) (shown string, code int, err error) {
	answered := 0
	return atTerminal(ts, args, func(tty *os.File, seen []byte) {
		if len(question.FindAll(seen, -1)) > answered {
			fmt.Fprint(tty, answers[min(answered, len(answers)-1)]+"\r") // as the Enter key does
			answered++
		}
	})
}

// hammered runs cloudops with a controlling terminal at which something types
// from its start to its end.
func hammered(ts *testscript.TestScript, answer string, args []string) (shown string, code int, err error) {
	var typing sync.WaitGroup
	defer typing.Wait()
	ended := make(chan struct{})
	defer close(ended)
	started := false
	return atTerminal(ts, args, func(tty *os.File, _ []byte) {
		if started {
			return
		}
		started = true
		typing.Go(func() {
			for pause := time.NewTicker(3 * time.Millisecond); ; {
				select {
				case <-ended:
					pause.Stop()
					return
				case <-pause.C:
					fmt.Fprint(tty, answer+"\r")
				}
			}
		})
	})
}

// atTerminal runs cloudops with a controlling terminal; typist is called at the
// start and whenever the terminal shows more, with all that it showed.
func atTerminal(ts *testscript.TestScript, args []string, typist func(tty *os.File, seen []byte)) (shown string, code int, err error) {
	cmd := exec.Command(ts.Getenv("CLOUDOPS"), args...)
	cmd.Env = environ(ts)
	cmd.Dir = ts.MkAbs(".")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 50, Cols: 200})
	if err != nil {
		return "", 0, err
	}
	defer tty.Close()
	kill := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer kill.Stop()
	var seen bytes.Buffer
	b := make([]byte, 4096)
	for {
		typist(tty, seen.Bytes())
		n, rerr := tty.Read(b)
		seen.Write(b[:n])
		if rerr != nil {
			if !errors.Is(rerr, io.EOF) && !errors.Is(rerr, syscall.EIO) {
				return seen.String(), 0, rerr
			}
			break
		}
	}
	werr := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(werr, &exit) {
		return seen.String(), exit.ExitCode(), nil
	}
	return seen.String(), 0, werr
}

// lockedPID is the process that the home's lock names.
func lockedPID(home string) (int, error) {
	b, err := os.ReadFile(filepath.Join(home, "daemon.lock"))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(b), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		return 0, fmt.Errorf("reading daemon.lock: %w", err)
	}
	if pid < 2 {
		return 0, errors.New("no daemon has the home")
	}
	return pid, nil
}

// stopDaemon signals the daemon that holds the home's lock and waits for its end.
func stopDaemon(home string, sig syscall.Signal) error {
	pid, err := lockedPID(home)
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, sig); err != nil {
		return err
	}
	f, err := os.Open(filepath.Join(home, "daemon.lock"))
	if err != nil {
		return err
	}
	defer f.Close()
	// Its lock dies with it; another daemon may take it at once.
	deadline := time.Now().Add(time.Minute)
	for syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) != nil {
		if now, err := lockedPID(home); err == nil && now != pid {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("daemon %d did not end", pid)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}
