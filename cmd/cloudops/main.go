// Command cloudops is the language server, the daemon and the terminal client,
// one file per subcommand.
//
// It is the only place that reads the configuration and the environment and
// that wires the packages together; everything else is told what it needs.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], stdio{in: os.Stdin, out: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(code)
}
