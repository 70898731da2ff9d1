package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// processVariables are what a credential process gets of the environment.
var processVariables = []string{
	"PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "DBUS_SESSION_BUS_ADDRESS",
	"SYSTEMROOT", "COMSPEC", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "TEMP", "PATHEXT",
}

const (
	// processSource is the source of what a credential process gives.
	processSource = "ProcessProvider"
	// processTime is how long a credential process may run.
	processTime = 15 * time.Second
	// processWait is how long one is waited for after it was told to end, since
	// what it started may hold its output open.
	processWait = time.Second
	// maxProcessOutput bounds what is read of one, in bytes.
	maxProcessOutput = 64 << 10
)

// processProvider runs the credential process of the user's own AWS files, with
// the few variables that programs need. The command is split in words like one
// for a shell, and no shell runs it. What it prints on standard error is
// dropped, and no message repeats its output: they could be secrets.
type processProvider struct {
	profile string
	command setting
}

func (p processProvider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	output, err := p.run(ctx)
	if err != nil {
		return aws.Credentials{}, err
	}
	return p.parse(output)
}

// fails says why the process gives no credentials.
func (p processProvider) fails(why, hint string) error {
	return Explained(ErrNoCredentials, CodeCredentials,
		fmt.Sprintf("the credential_process of profile %s (%s) %s", p.profile, p.command.where(), why), hint, nil)
}

// byHand is the advice to run it where one sees what it says.
func (p processProvider) byHand() string {
	return "run the command by hand to see what it says, or: aws sts get-caller-identity --profile " + p.profile
}

func (p processProvider) run(ctx context.Context) ([]byte, error) {
	words, err := commandWords(p.command.value)
	if err != nil || len(words) == 0 {
		return nil, p.fails("is no command: it is empty, or a quotation is not closed", "correct that line")
	}
	program, err := p.program(words[0])
	if err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, processTime)
	defer cancel()
	cmd := exec.CommandContext(bounded, program, words[1:]...)
	output := limitedBuffer{left: maxProcessOutput}
	cmd.Stdout, cmd.WaitDelay = &output, processWait
	cmd.Env = slices.DeleteFunc(os.Environ(), func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return !slices.Contains(processVariables, strings.ToUpper(name))
	})
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return nil, ctx.Err()
	case bounded.Err() != nil:
		return nil, p.fails("did not end in time", "run it by hand: perhaps it waits for an answer, which it can't get here")
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return nil, p.fails(fmt.Sprintf("failed with exit code %d", exit.ExitCode()), p.byHand())
	case errors.As(err, &exit):
		return nil, p.fails("was ended by a signal", p.byHand())
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return nil, p.fails("could not be started", "check that it is a program for this machine")
	case output.left < 0:
		return nil, p.fails("printed far more than credentials", p.byHand())
	}
	return output.kept.Bytes(), nil
}

// program finds the program by a full path, else where the daemon looks: never
// in the folder where it happens to stand.
func (p processProvider) program(name string) (string, error) {
	program, err := name, error(nil)
	switch {
	case filepath.IsAbs(name):
		_, err = exec.LookPath(name)
	case strings.HasPrefix(name, "~"):
		return "", p.fails("begins with ~, which no shell expands there", "write the full path of the program")
	case filepath.Base(name) != name:
		return "", p.fails("names its program by a path that does not begin with /", "write the full path of the program")
	default:
		program, err = exec.LookPath(name)
	}
	switch {
	case err == nil && filepath.IsAbs(program):
		return program, nil
	case errors.Is(err, fs.ErrPermission):
		return "", p.fails("names a program that may not be run", "make it executable: chmod u+x, on the path of the program")
	case filepath.IsAbs(name):
		return "", p.fails("names a program that is not found there", "correct the path of the program")
	}
	return "", p.fails(fmt.Sprintf("names the program %s, which was not found in %s; cloudops looks nowhere else", scrub(name), os.Getenv("PATH")),
		"write the full path of the program, which this tells: command -v "+scrub(name))
}

// parse reads what the process printed.
func (p processProvider) parse(output []byte) (aws.Credentials, error) {
	none := aws.Credentials{}
	if len(bytes.TrimSpace(output)) == 0 {
		return none, p.fails("ended well and printed nothing", p.byHand())
	}
	var printed map[string]any
	if json.Unmarshal(output, &printed) != nil {
		return none, p.fails("printed something else than a JSON object", "let it print nothing but the object with Version, AccessKeyId and SecretAccessKey")
	}
	if version, ok := printed["Version"].(float64); !ok || version != 1 {
		return none, p.fails("printed an object without \"Version\": 1", "update the program, or let it print that version")
	}
	text := func(name string) string { s, _ := printed[name].(string); return s }
	creds := aws.Credentials{
		AccessKeyID: text("AccessKeyId"), SecretAccessKey: text("SecretAccessKey"), SessionToken: text("SessionToken"),
		AccountID: text("AccountId"), Source: processSource,
	}
	for _, one := range []struct{ name, value string }{{"AccessKeyId", creds.AccessKeyID}, {"SecretAccessKey", creds.SecretAccessKey}} {
		if one.value == "" {
			return none, p.fails("printed no "+one.name, p.byHand())
		}
	}
	if expiration := text("Expiration"); expiration != "" {
		at, err := time.Parse(time.RFC3339, expiration)
		if err != nil {
			at, err = time.Parse("2006-01-02T15:04:05-0700", expiration)
		}
		if err != nil {
			return none, p.fails("printed an Expiration that is no time", "let it print one like 2030-01-31T12:00:00Z")
		}
		if !at.After(time.Now()) {
			return none, p.fails("printed credentials that have expired already", "log in again where the program gets them from; if they should be valid, set this machine's clock right")
		}
		creds.CanExpire, creds.Expires = true, at
	}
	return creds, nil
}

// limitedBuffer keeps what fits and counts the rest.
type limitedBuffer struct {
	kept bytes.Buffer
	left int
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left >= 0 {
		return b.kept.Write(p)
	}
	return len(p), nil
}
