package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"github.com/creack/pty"
)

// approved runs a command that asks on its terminal: the person's, or one
// where the answer is typed once the question stands there.
func (d *demo) approved(cmd *exec.Cmd) error {
	if d.approve == "" {
		cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
		return cmd.Run()
	}
	cmd.Stderr = nil
	tty, err := pty.Start(cmd)
	if err != nil {
		return fmt.Errorf("starting a pseudo-terminal: %w", err)
	}
	defer tty.Close()
	var seen bytes.Buffer
	question := []byte("anything else rejects: ")
	b := make([]byte, 4096)
	for {
		n, err := tty.Read(b)
		os.Stdout.Write(b[:n])
		seen.Write(b[:n])
		if i := bytes.Index(seen.Bytes(), question); i >= 0 {
			seen.Next(i + len(question))
			if _, err := fmt.Fprintln(tty, d.approve); err != nil {
				return fmt.Errorf("typing the answer: %w", err)
			}
		}
		// Linux answers EIO once the other side is closed.
		if errors.Is(err, io.EOF) || errors.Is(err, syscall.EIO) {
			return cmd.Wait()
		}
		if err != nil {
			return fmt.Errorf("reading the pseudo-terminal: %w", err)
		}
	}
}
