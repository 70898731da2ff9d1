package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/storage/seal"
)

// version is set by the linker.
var version = "dev"

// The exit codes, as `cloudops --help` lists them.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitRefused     = 3
	exitNotFound    = 4
	exitDenied      = 5
	exitUnavailable = 6
)

type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// app is what every subcommand shares.
type app struct {
	stdio
	json bool
	// lines: JSON of several values is printed one a line.
	lines bool
	// tty is nil where nobody can be asked; connect sets it.
	tty *terminal
}

// output remembers that it could not be written, so that what was lost on a full
// disk is no success.
type output struct {
	to  io.Writer
	err error
}

func (o *output) Write(b []byte) (int, error) {
	n, err := o.to.Write(b)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// SyscallConn is that of the file below, if it is one: the language server asks
// whether its editor takes more.
func (o *output) SyscallConn() (syscall.RawConn, error) {
	if c, ok := o.to.(syscall.Conn); ok {
		return c.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// usageError is a wrong call of a command.
type usageError struct{ error }

// quietExit ends a command with a code after it has said all there is to say.
type quietExit int

func (q quietExit) Error() string { return fmt.Sprintf("exit %d", int(q)) }

// stopped is what the person at the keyboard ended, in words.
type stopped string

func (s stopped) Error() string { return string(s) }

// Is makes it a context.Canceled.
func (stopped) Is(target error) bool { return target == context.Canceled }

// run executes one command line and returns the exit code.
func run(ctx context.Context, args []string, std stdio) int {
	out := &output{to: std.out}
	std.out = out
	a := &app{stdio: std}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(std.in)
	root.SetOut(std.out)
	root.SetErr(std.err)
	err := root.ExecuteContext(ctx)
	if err == nil && out.err != nil {
		err = fmt.Errorf("writing the output: %w", out.err)
	}
	if err == nil {
		return exitOK
	}
	// A wrong flag ends parsing before --json is seen.
	if end := slices.Index(args, "--"); !a.json {
		if end < 0 {
			end = len(args)
		}
		a.json = slices.Contains(args[:end], "--json")
	}
	var quiet quietExit
	if errors.As(err, &quiet) {
		return int(quiet)
	}
	return a.fail(err)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "cloudops",
		Short: "Understand and operate your AWS estate from your editor or terminal",
		Long: `cloudops knows every resource in your AWS accounts, kept encrypted on your own
machine. It shows them as you hover their names in your editor, and runs AWS
commands that you ask for in plain words, always asking before it changes
anything.

Begin with:  cloudops profiles     which AWS profiles there are
             cloudops scan         read your estate
             cloudops chat "stop my-database"

Exit codes: 0 success, 1 error, 2 wrong usage, 3 refused or rejected,
            4 not found, 5 denied by AWS, 6 unavailable.

CLOUDOPS_HOME (default ~/.cloudops) holds the store, config.yaml and the logs.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version,
		Args: func(c *cobra.Command, given []string) error {
			if len(given) > 0 {
				return usageError{fmt.Errorf("unknown command %q; see `cloudops --help`", given[0])}
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON with stable field names")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see `%s --help`", err, c.CommandPath())}
	})
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(
		a.lspCommand(), a.daemonCommand(), a.statusCommand(), a.doctorCommand(), a.configCommand(), a.migrateCommand(), a.versionCommand(),
		a.profilesCommand(), a.scanCommand(), a.searchCommand(), a.showCommand(), a.apiCommand(),
		a.chatCommand(), a.conversationsCommand(),
		a.runCommand(), a.approvalsCommand(), a.executionsCommand(), a.auditCommand(),
		a.keyCommand(),
	)
	return root
}

// args is a check of positional arguments with the usage exit code.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, given []string) error {
		switch err := check(c, given); {
		case err == nil:
			return nil
		case c.HasSubCommands() && len(given) > 0:
			return usageError{fmt.Errorf("there is no %s %q; see `%s --help`", c.CommandPath(), given[0], c.CommandPath())}
		default:
			return usageError{fmt.Errorf("write it as: %s; see `%s --help`", c.UseLine(), c.CommandPath())}
		}
	}
}

// print writes a result: as JSON, or as text by its own function.
func (a *app) print(v any, text func(w io.Writer)) error {
	if !a.json {
		text(a.out)
		return nil
	}
	return a.printJSON(v)
}

func (a *app) printJSON(v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if a.lines {
		b, err = json.Marshal(v)
	}
	if err != nil {
		return fmt.Errorf("encoding the result: %w", err)
	}
	_, err = a.out.Write(append(render.JSON(b), '\n'))
	return err
}

// fail reports an error, with what to do next, and picks the exit code.
func (a *app) fail(err error) int {
	code, name := classify(err)
	// What JSON-RPC calls it is of no use to people.
	message, hint := strings.TrimPrefix(err.Error(), "invalid params: "), hintOf(err)
	if message == context.Canceled.Error() {
		message = "stopped before it was done"
	}
	if a.json {
		// An output that takes nothing can't be told so either.
		_ = a.printJSON(map[string]any{"error": map[string]string{"code": name, "message": message, "hint": hint}})
		return code
	}
	fmt.Fprintln(a.err, "cloudops:", render.Terminal(message))
	if hint != "" {
		fmt.Fprintln(a.err, "  ", render.Terminal(hint))
	}
	return code
}

// hintOf is what the daemon says can be done about an error.
func hintOf(err error) string {
	var remote *daemon.Error
	if errors.As(err, &remote) {
		return remote.Hint
	}
	return ""
}

func classify(err error) (code int, name string) {
	var usage usageError
	var remote *daemon.Error
	switch {
	case errors.As(err, &usage):
		return exitUsage, "usage"
	case errors.Is(err, context.Canceled):
		return exitError, "cancelled"
	case errors.As(err, &remote):
		switch remote.Code {
		case daemon.CodeRefused, daemon.CodeRejected, daemon.CodeUndecided:
			return exitRefused, "refused"
		case daemon.CodeNotFound:
			return exitNotFound, "not_found"
		case daemon.CodeDenied:
			return exitDenied, "denied"
		case daemon.CodeUnavailable, daemon.CodeDegraded, daemon.CodeHandover, daemon.CodeFull:
			return exitUnavailable, "unavailable"
		case -32602:
			return exitUsage, "usage"
		}
		return exitError, "error"
	case errors.Is(err, executor.ErrRefused), errors.Is(err, executor.ErrRejected),
		errors.Is(err, seal.ErrKeysWork), errors.Is(err, seal.ErrPassphrase), errors.Is(err, seal.ErrOtherStore):
		return exitRefused, "refused"
	case errors.Is(err, fs.ErrNotExist):
		return exitNotFound, "not_found"
	case errors.Is(err, seal.ErrUnavailable), errors.Is(err, seal.ErrNoKey), errors.Is(err, seal.ErrWrongKey):
		return exitUnavailable, "unavailable"
	case errors.Is(err, os.ErrPermission):
		return exitError, "error"
	}
	return exitError, "error"
}

// outcome is the exit code of what became of a plan.
func outcome(x executor.Execution) error {
	switch x.Status {
	case "succeeded":
		return nil
	case "rejected", "expired", "void", "planned":
		return quietExit(exitRefused)
	case "failed":
		if x.ErrorCode == "denied" {
			return quietExit(exitDenied)
		}
	}
	return quietExit(exitError)
}
