package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloudops/cloudops/agent/render"
	"github.com/cloudops/cloudops/executor"
	"github.com/cloudops/cloudops/lsp/daemon"
	"github.com/cloudops/cloudops/storage/home"
	"github.com/cloudops/cloudops/storage/seal"
)

func (a *app) keyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Look at the encryption keys, rotate them, and keep a recovery file",
		Long: `Everything stored is sealed under keys of this store. They are wrapped by one
key that lies in your OS keychain, a file or an environment variable, as
encryption.key_source of config.yaml says. Whoever loses that key loses the
store, unless there is a recovery file.

To keep it elsewhere, or to switch encryption off or on, change config.yaml and
run cloudops key move.`,
		Args: args(cobra.NoArgs),
		RunE: a.keyStatus,
	}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "status",
			Short: "Show where the key is, how old the keys are, and whether there is a recovery file",
			Args:  args(cobra.NoArgs),
			RunE:  a.keyStatus,
		},
		&cobra.Command{
			Use:   "rotate",
			Short: "Make new keys and seal everything anew",
			Long: `Makes a new key that seals from then on, and replaces the key in the keychain
or the file; a key in an environment variable is yours to replace. Then
everything stored is sealed anew in the background, while cloudops is used, and
the old key is dropped. Ctrl-C leaves it running; a daemon that ends goes on at
its next start. Ids of points never change.

Run again while that goes on, it shows how far it is.`,
			Args: args(cobra.NoArgs),
			RunE: a.keyRotate,
		},
		&cobra.Command{
			Use:   "export FILE",
			Short: "Write a recovery file with all keys, under a passphrase",
			Long: `Writes a new file that only you can read, with all keys of this store, encrypted
under a passphrase that you type twice. It is what brings the store back when
the keychain or the key file is lost. Make a new one after each rotation.`,
			Args: args(cobra.ExactArgs(1)),
			RunE: a.keyExport,
		},
		&cobra.Command{
			Use:   "import FILE",
			Short: "Bring the keys back from a recovery file",
			Long: `For a store whose key is lost, or a home that was copied to another machine.
Makes sure that the keys open the store of this home before anything is written,
then keeps a key at encryption.key_source of config.yaml. A store whose key
works is left alone.`,
			Args: args(cobra.ExactArgs(1)),
			RunE: a.keyImport,
		},
		&cobra.Command{
			Use:   "move",
			Short: "Keep the key where config.yaml says from now on",
			Long: `For a store whose key is elsewhere than encryption.key_source of config.yaml
says, or whose encryption was switched off or on there. A key that is at the new
place is used, or else a new one is made. The old one stays where it is, for
copies of this home that need it. After encryption was off, everything is sealed
anew under a new key.`,
			Args: args(cobra.NoArgs),
			RunE: a.keyMove,
		},
	)
	return cmd
}

func (a *app) keyStatus(c *cobra.Command, _ []string) error {
	r, err := daemon.KeyStatus.Call(c.Context(), a, struct{}{})
	if err != nil {
		return err
	}
	return a.print(r, func(w io.Writer) { printKeys(w, r, time.Now()) })
}

func printKeys(w io.Writer, r daemon.KeyStatusResult, now time.Time) {
	fmt.Fprintf(w, "store      %s\nkept in    %s\n", r.StoreID, render.Terminal(r.Source))
	recovery := "none: make one with `cloudops key export FILE`"
	switch {
	case !r.Exported.IsZero() && r.Covered:
		recovery = "made " + render.Ago(r.Exported, now)
	case !r.Exported.IsZero():
		recovery = "made " + render.Ago(r.Exported, now) + ", before the newest key: make another with `cloudops key export FILE`"
	}
	fmt.Fprintf(w, "recovery   %s\n", recovery)
	if s := r.Resealing; s != nil {
		fmt.Fprintf(w, "rotation   sealing everything anew: %d of %d looked at\n", s.Done, s.Total)
		if s.Problem != "" {
			fmt.Fprintf(w, "problem    %s\n", render.Terminal(s.Problem))
		}
	}
	uses := map[string]string{seal.UseSeals: "seals", seal.UseOpens: "opens what is not sealed anew yet", seal.UseAudit: "opens earlier audit records"}
	rows := make([][]string, 0, len(r.Keys))
	for _, k := range r.Keys {
		made := "unknown"
		if !k.Made.IsZero() {
			made = render.Ago(k.Made, now)
		}
		rows = append(rows, []string{k.ID, made, uses[k.Use]})
	}
	fmt.Fprint(w, "\n", render.Table([]string{"KEY", "MADE", "USE"}, rows))
}

// atTerminal connects, and fails where nobody can be asked.
func (a *app) atTerminal(ctx context.Context, note func(string, []byte)) (*daemon.Client, error) {
	client, err := a.connect(ctx, note)
	if err != nil {
		return nil, err
	}
	if a.tty == nil {
		return nil, errors.Join(errNoTerminal(), client.Close())
	}
	return client, nil
}

func errNoTerminal() error {
	return fmt.Errorf("%w: this is confirmed at a terminal, and there is none", executor.ErrRefused)
}

func (a *app) keyRotate(c *cobra.Command, _ []string) error {
	bar := a.progress()
	client, err := a.atTerminal(c.Context(), bar.note)
	if err != nil {
		return err
	}
	defer client.Close()
	r, err := daemon.KeyRotate.Call(c.Context(), client, daemon.KeyRotateParams{Token: "key"})
	bar.done()
	if c.Context().Err() != nil {
		return stopped("left: what was begun goes on in the background; see `cloudops key status`")
	}
	if err != nil {
		return err
	}
	err = a.print(r, func(w io.Writer) {
		if r.Resealing == nil {
			fmt.Fprintln(w, "Everything is sealed under the new key.")
		}
		if r.Renewed {
			fmt.Fprintf(w, "The key in %s is a new one.\n", render.Terminal(r.Source))
		}
		fmt.Fprintln(w)
		printKeys(w, r.KeyStatusResult, time.Now())
	})
	if err == nil && r.Resealing != nil {
		return quietExit(exitUnavailable)
	}
	return err
}

func (a *app) keyExport(c *cobra.Command, given []string) error {
	ctx := c.Context()
	cfg, err := loadConfig()
	if err != nil {
		return err
	}
	path, err := newFile(cfg.home, given[0])
	if err != nil {
		return err
	}
	client, err := a.atTerminal(ctx, nil)
	if err != nil {
		return err
	}
	defer client.Close()
	export, err := seal.NewExport()
	if err != nil {
		return err
	}
	parcel, err := daemon.KeyExport.Call(ctx, client, daemon.KeyExportParams{Recipient: export.Recipient()})
	if err != nil {
		return err
	}
	passphrase, err := a.newPassphrase(ctx)
	if err != nil {
		return err
	}
	file, err := export.File(parcel.Parcel, passphrase)
	if err != nil {
		return err
	}
	if err := writeNew(path, file); err != nil {
		return err
	}
	r, err := daemon.KeyExported.Call(ctx, client, struct{}{})
	if err != nil {
		return fmt.Errorf("the recovery file is at %s, but that could not be noted: %w", path, err)
	}
	return a.print(exported{path, r}, func(w io.Writer) {
		fmt.Fprintf(w, "The recovery file is at %s.\nKeep it away from this machine, and the passphrase apart from it.\n", render.Terminal(path))
	})
}

// exported is what an export prints as JSON.
type exported struct {
	Path string `json:"path"`
	daemon.KeyStatusResult
}

// newPassphrase asks for a passphrase twice.
func (a *app) newPassphrase(ctx context.Context) (string, error) {
	const tries = 3
	for n := 1; ; n++ {
		p, err := a.tty.secret(ctx, "A passphrase of at least 15 characters, such as five words: ")
		if err != nil {
			return "", err
		}
		if err = seal.CheckPassphrase(p); err == nil {
			var again string
			if again, err = a.tty.secret(ctx, "The same once more: "); err != nil {
				return "", err
			}
			if again == p {
				return p, nil
			}
			err = fmt.Errorf("%w: the two are not the same", seal.ErrPassphrase)
		}
		if n == tries {
			return "", err
		}
		fmt.Fprintln(a.tty.tty, render.Terminal(err.Error()))
	}
}

// newFile checks that a recovery file can be made at a path.
func newFile(home, path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("finding the recovery file: %w", err)
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", fmt.Errorf("finding the folder of the recovery file: %w", err)
	}
	if real, err := filepath.EvalSymlinks(home); err == nil {
		home = real
	}
	if rel, err := filepath.Rel(home, dir); err == nil && filepath.IsLocal(rel) {
		return "", fmt.Errorf("%w: the recovery file would lie in %s, with what it brings back; name a place elsewhere", executor.ErrRefused, home)
	}
	if _, err := os.Lstat(path); err == nil {
		return "", fmt.Errorf("%w: %s is there already; name a new file", executor.ErrRefused, path)
	}
	return path, nil
}

// writeNew makes a file that was not there, for this user only, durable on
// return.
func writeNew(path string, b []byte) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("making the recovery file: %w", err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(0o600), home.Sync(f), f.Close())
	if err != nil {
		return fmt.Errorf("writing the recovery file: %w", errors.Join(err, os.Remove(path)))
	}
	_ = home.SyncDir(filepath.Dir(path)) // not every system can
	return nil
}

func (a *app) keyImport(c *cobra.Command, given []string) error {
	ctx := c.Context()
	cfg, err := loadConfig()
	if err != nil {
		return err
	}
	file, err := readRecovery(given[0])
	if err != nil {
		return err
	}
	if a.tty = openTerminal(); a.tty == nil {
		return errNoTerminal()
	}
	passphrase, err := a.tty.secret(ctx, fmt.Sprintf("The passphrase of the recovery file made %s: ", file.Made.Format("2006-01-02")))
	if err != nil {
		return err
	}
	i, err := seal.OpenImport(cfg.home, cfg.Encryption.source(), file, passphrase)
	if err != nil {
		return err
	}
	return a.storeKeys(ctx, i, "import", "The keys are back, and the store opens.", "Bring the keys of store "+i.StoreID()+" back",
		"The keys of this recovery file open the store in "+cfg.home+".",
		"The key that wraps them will be kept in "+i.Source()+".",
		"The audit log tells of it: what was anchored with a lost key vouches for its end no longer.")
}

func (a *app) keyMove(c *cobra.Command, _ []string) error {
	cfg, err := loadConfig()
	if err != nil {
		return err
	}
	if a.tty = openTerminal(); a.tty == nil {
		return errNoTerminal()
	}
	i, err := seal.OpenMove(cfg.home, cfg.Encryption.source())
	if err != nil {
		return err
	}
	details := []string{
		"It is in " + i.From() + ", and stays there for copies of this home.",
		"The audit log tells of it: its anchor begins anew.",
	}
	if cfg.Encryption.off() {
		details = append(details, "ENCRYPTION WILL BE OFF: whoever gets hold of "+cfg.home+" reads everything.")
	}
	return a.storeKeys(c.Context(), i, "move", "The key moved, and the store opens.", "Keep the key in "+i.Source()+" from now on", details...)
}

// storeKeys asks the person at this terminal, puts keys to use and lets the
// daemon open the store with them.
func (a *app) storeKeys(ctx context.Context, i *seal.Import, word, done, title string, details ...string) error {
	answer, err := a.tty.confirm(ctx, daemon.ConfirmParams{Title: title, Details: details, Word: word})
	if err != nil {
		return err
	}
	if answer.Word != word {
		return fmt.Errorf("%w: nothing was changed", executor.ErrRejected)
	}
	if err := i.Store(); err != nil {
		return err
	}
	// The audit log takes note as the daemon opens the store.
	r, err := daemon.KeyStatus.Call(ctx, a, struct{}{})
	if err != nil {
		return fmt.Errorf("the keys are in place, but the store does not open: %w", err)
	}
	return a.print(r, func(w io.Writer) {
		fmt.Fprintf(w, "%s\n\n", done)
		printKeys(w, r, time.Now())
	})
}

// readRecovery reads a file that the user names.
func readRecovery(path string) (*seal.RecoveryFile, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no recovery file %s: %w", strings.TrimSpace(path), fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the recovery file: %w", err)
	}
	defer f.Close()
	const most = 2 << 20
	b, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return nil, fmt.Errorf("reading the recovery file: %w", err)
	}
	return seal.ReadRecovery(b)
}
